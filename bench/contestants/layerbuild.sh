# layerbuild, the release binary that LB names. Its store lies in $W, so that nothing of the user's cache is read or written.
: "${LB:?set LB to the path of the layerbuild binary}"; S=$W/layerbuild; mkdir -p $S
c_clean(){ rm -rf $S; mkdir -p $S; }
c_build(){ "$LB" -C $IN --cache-dir $S -q build //:all; }
c_push(){ "$LB" -C $IN --cache-dir $S -q --registry 127.0.0.1:$1/bench push //:all; }
