/**
 * A POSIX shell script that starts one server and outlives its owner long enough to clean up. It is text in a
 * module because the compiler copies no .sh files.
 *
 * Arguments: the stop signal, a folder to remove in the end (or ''), the command and its arguments.
 * stdout: the server's pid, `ok` for every order carried out, `exited <status>` when the server has gone.
 * stdin, kept open by the owner, takes one order a line:
 *   STOP, CONT, KILL   sent to the server and its children
 *   halt               stop the server in good order, but stay
 *   leave              exit and leave the folder alone (the server is gone, another guardian has taken over)
 * End of file, because the owner closed it or died: halt, remove the folder, exit.
 */
export const guardian = `
trap '' HUP INT QUIT TERM PIPE
stop_signal=$1 folder=$2
shift 2
PATH=$PATH:/usr/bin:/bin
exec 3<&0 </dev/null

(trap - HUP INT QUIT TERM PIPE; exec "$@" 3<&- >&2) &
server=$!
echo "$server"

children() {
  # Slim images have no ps.
  if [ -r /proc/$$/task/$$/children ]; then
    # A list for each thread, which can lack a child while another one ends: read until it is the same twice. There is no line
    # end to it, so read fails, though it has read.
    before=- now=
    until [ "$now" = "$before" ]; do
      before=$now now=
      for list in /proc/"$server"/task/*/children; do
        line=
        read -r line <"$list"
        now="$now $line"
      done
    done
    echo "$now"
  elif [ -r /proc/self/stat ]; then
    # Of a kernel without such lists all processes are looked at, which takes far longer. Field 4 of stat is the parent; the
    # name in field 2 may hold blanks.
    for stat in /proc/[0-9]*/stat; do
      read -r line <"$stat" || continue
      pid=\${line%% *}
      set -- \${line##*) }
      [ "$2" != "$server" ] || echo "$pid"
    done
  else
    pgrep -P "$server"
  fi
} 2>/dev/null

# Postgres' backends lead groups of their own, so a group signal misses them.
# The server is frozen first: no child is born while we look.
signal_all() {
  kill -s STOP "$server"
  for pid in $(children); do kill -s "$1" "$pid"; done
  kill -s "$1" "$server"
} 2>/dev/null

halt() {
  signal_all CONT
  kill -s "$stop_signal" "$server"
  tries=0
  while [ $tries -lt 50 ] && kill -s 0 "$server"; do
    sleep 0.1
    tries=$((tries + 1))
  done
  signal_all KILL
} 2>/dev/null

(
  while read -r order; do
    case $order in
      halt) halt ;;
      *) signal_all "$order" ;;
    esac
    echo ok
  done
  halt
) <&3 &
listener=$!

wait "$server"
status=$?
# From here on the pid may be anyone's: nobody signals it any more.
kill -s KILL "$listener"
echo "exited $status"

while read -r order; do
  [ "$order" != leave ] || exit 0
done <&3
if [ -n "$folder" ]; then
  # Children of a server that crashed may still be writing.
  for try in 1 2 3 4 5; do
    rm -rf "$folder" && break
    sleep 0.2
  done
fi
`
