# Runs as the first process of fresh mount and network namespaces: gives them a pcscd with one
# virtual reader, and ends them when standard input ends, however the parent may have died.
#
# $1 is the driver of the virtual reader; $2 is "probe" to only try what the namespaces need.
set -eu
PATH="$PATH:/usr/sbin:/sbin"

# Hides the sockets of this machine's own daemons, pcscd's and polkit's among them.
mount -t tmpfs -o mode=0755 tmpfs /run
ip link set lo up
[ "${2-}" = probe ] && exit

mkdir /run/pcscd /run/readers
cp "$1" /run/libifdvpcd.so
cat >/run/readers/vpcd <<END
FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:0x8C7B
LIBPATH      /run/libifdvpcd.so
CHANNELID    0x8C7B
END

# Hides the drivers of real readers: they belong to the user's own pcscd.
if [ -d /usr/lib/pcsc/drivers ]; then
    mount -t tmpfs tmpfs /usr/lib/pcsc/drivers
fi

# Newer releases ask polkit, which cannot be reached from here.
polkit=
case "$(pcscd --help 2>&1)" in
*--disable-polkit*) polkit=--disable-polkit ;;
esac

pcscd --foreground --info --apdu --config /run/readers $polkit </dev/null &
read -r _ || :
kill -KILL $!
wait
kill -KILL 0
