"""What code in a sandbox might try. Each attempt is a function that raises if it is refused; it is
run in a process of its own. `place` says what there is to be had. Prints one line for each."""
libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
attempts = []
unconfined = set()  # Those that succeed without a sandbox, and do no harm there.


def attempt(function):
    attempts.append(function)
    return function


def harmless(function):
    unconfined.add(function.__name__)
    return attempt(function)


def call(name, *arguments):
    """A function of the C library; raises if it fails."""
    return checked(getattr(libc, name)(*arguments), name)


def system_call(number, *arguments):
    numbers = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return checked(libc.syscall(ctypes.c_long(number), *numbers), number)


def checked(result, name):
    if result < 0:
        raise OSError(ctypes.get_errno(), "%s: %s" % (name, os.strerror(ctypes.get_errno())))
    return result


def read(path):
    with open(path, "rb") as file:
        assert file.read(10), "nothing in it"


def write(path, mode="r+b"):
    with open(path, mode) as file:
        file.write(b"harm")


# Reading what belongs to the server and to others.

@harmless
def read_the_database():
    read(place["database"])


@harmless
def read_the_secret_key():
    read(place["secret"])


@harmless
def read_a_file_of_another_user():
    read(place["other_file"])


@harmless
def list_the_users():
    os.listdir(place["users"])


@harmless
def read_the_scratch_of_another_worker():
    read(place["other_scratch"] + "/result")


@attempt
def write_the_scratch_of_another_worker():
    write(place["other_scratch"] + "/result")


@harmless
def list_the_folder_above_the_scratch():
    assert "secret.key" in os.listdir("..")


@harmless
def read_through_a_relative_path():
    read("../secret.key")


@harmless
def read_through_a_descriptor_of_a_folder():
    folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    os.close(os.open("../secret.key", os.O_RDONLY, dir_fd=folder))


@harmless
def read_through_a_symbolic_link():
    os.symlink(place["secret"], "link")
    read("link")


@harmless
def list_through_a_symbolic_link():
    os.symlink(place["users"], "folder")
    os.listdir("folder")


@attempt
def read_through_a_hard_link():
    os.link(place["secret"], "hard")
    read("hard")


@attempt
def link_a_file_of_the_server_into_the_scratch():
    os.link(place["file"], "hard-file")


@attempt
def move_the_database_into_the_scratch():
    os.rename(place["database"], "database")


@attempt
def move_a_file_over_the_database():
    write("mine", "wb")
    os.rename("mine", place["database"])


@attempt
def exchange_a_folder_with_the_users():
    os.mkdir("mine-too")
    call("renameat2", -100, b"mine-too", -100, place["users"].encode(), 2)


@attempt
def move_the_scratch_away():
    os.rename(place["scratch"], place["scratch"] + "-moved")


@harmless
def read_the_password_file():
    read("/etc/passwd")


@attempt
def read_the_shadow_file():
    read("/etc/shadow")


@attempt
def open_by_handle():
    # "Shocker": a file handle needs no path.
    handle, mount = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + b"\0" * 128), ctypes.c_int()
    call("name_to_handle_at", -100, place["scratch"].encode(), handle, ctypes.byref(mount), 0)
    folder = os.open(".", os.O_RDONLY)
    call("open_by_handle_at", folder, handle, os.O_RDONLY)


# Other processes, as files.

@harmless
def read_the_environment_of_the_server():
    read("/proc/%d/environ" % place["server"])


@harmless
def read_the_command_line_of_the_server():
    read("/proc/%d/cmdline" % place["server"])


@harmless
def read_the_memory_map_of_the_server():
    read("/proc/%d/maps" % place["server"])


@attempt
def open_the_memory_of_the_server():
    open("/proc/%d/mem" % place["server"], "r+b").close()


@harmless
def read_through_the_root_of_the_server():
    read("/proc/%d/root%s" % (place["server"], place["secret"]))


@harmless
def list_the_working_folder_of_the_server():
    os.listdir("/proc/%d/cwd" % place["server"])


@harmless
def list_the_descriptors_of_the_server():
    os.listdir("/proc/%d/fd" % place["server"])


@harmless
def find_the_secret_in_any_environment():
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open("/proc/%s/environ" % name, "rb") as file:
                    if place["in_environment"].encode() in file.read():
                        return
            except OSError:
                pass
    raise OSError("not found")


@harmless
def find_a_host_process_by_number():
    read("/proc/%d/status" % place["server"])


@attempt
def read_the_root_of_the_first_process():
    read("/proc/1/root" + place["secret"])


@attempt
def read_the_memory_of_another_worker():
    open("/proc/%d/mem" % place["neighbour"], "rb").close()


# Writing.

@attempt
def write_the_code():
    write(place["code"] + "/confine.py")


@attempt
def add_a_file_to_the_code():
    write(place["code"] + "/added.py", "wb")


@attempt
def remove_the_code():
    os.unlink(place["code"] + "/confine.py")


@attempt
def write_a_file_parameter():
    write(place["file"])


@attempt
def append_to_a_file_parameter():
    write(place["file"], "ab")


@attempt
def truncate_a_file_parameter():
    os.truncate(place["file"], 0)


@attempt
def remove_a_file_parameter():
    os.unlink(place["file"])


@attempt
def add_a_file_parameter():
    write(place["files"] + "/added", "wb")


@attempt
def reopen_a_file_parameter_for_writing():
    file = os.open(place["file"], os.O_RDONLY)
    os.close(os.open("/proc/self/fd/%d" % file, os.O_RDWR))


@attempt
def truncate_a_file_parameter_by_its_descriptor():
    os.ftruncate(os.open(place["file"], os.O_RDONLY), 0)


@attempt
def change_the_mode_of_a_file_parameter():
    before = os.stat(place["file"]).st_mode
    os.chmod(place["file"], 0o666)
    changed(before, os.stat(place["file"]).st_mode)


@attempt
def change_the_mode_of_an_open_file_parameter():
    file = os.open(place["file"], os.O_RDONLY)
    before = os.fstat(file).st_mode
    os.fchmod(file, 0o666)
    changed(before, os.fstat(file).st_mode)


@attempt
def change_the_mode_by_the_newest_call():
    before = os.stat(place["file"]).st_mode
    system_call(452, -100, place["file"].encode(), 0o666, 0)
    changed(before, os.stat(place["file"]).st_mode)


@attempt
def change_the_mode_of_the_database():
    before = os.stat(place["database"]).st_mode
    os.chmod(place["database"], 0o666)
    changed(before, os.stat(place["database"]).st_mode)


@attempt
def change_the_times_of_the_database():
    before = os.stat(place["database"]).st_mtime
    os.utime(place["database"], (1, 1))
    changed(before, os.stat(place["database"]).st_mtime)


@attempt
def change_the_owner_of_the_database():
    os.chown(place["database"], os.getuid() + 1, -1)


@attempt
def mark_a_file_parameter():
    os.setxattr(place["file"], "user.mark", b"harm")


def changed(before, after):
    if before == after:
        raise OSError("it had no effect")


@attempt
def write_the_interpreter():
    write(os.path.realpath(sys.executable))


@attempt
def add_to_the_standard_library():
    write(os.path.dirname(os.__file__) + "/sandbox_escape.py", "wb")


@attempt
def write_below_usr():
    write("/usr/sandbox_escape", "wb")


@attempt
def write_below_etc():
    write("/etc/sandbox_escape", "wb")


@attempt
def write_to_the_root_folder():
    write("/sandbox_escape", "wb")


@attempt
def write_beside_the_scratch():
    write("../sandbox_escape", "wb")


@attempt
def bind_a_socket_beside_the_scratch():
    socket.socket(socket.AF_UNIX).bind("../sandbox_escape")


# The network.

@harmless
def connect_by_tcp():
    socket.create_connection(("127.0.0.1", place["tcp"]), timeout=5)


@harmless
def send_by_udp():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"harm", ("127.0.0.1", place["udp"]))
    if place["own_network"]:
        raise OSError("it went to a network of its own")


@harmless
def open_an_internet_socket():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if place["own_network"]:
        raise OSError("it is of a network of its own")


@attempt
def connect_to_the_world():
    socket.create_connection(("192.0.2.1", 80), timeout=2)


@attempt
def open_a_raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@attempt
def open_a_packet_socket():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)


@attempt
def open_a_socket_to_the_hypervisor():
    socket.socket(40, socket.SOCK_STREAM)


@harmless
def connect_to_a_socket_of_the_host():
    socket.socket(socket.AF_UNIX).connect(place["unix"])


@harmless
def connect_to_an_abstract_socket_of_the_host():
    socket.socket(socket.AF_UNIX).connect("\0" + place["abstract"])


@harmless
def send_to_a_socket_of_the_host_from_a_pair():
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendto(b"harm", place["datagram"])


@harmless
def send_a_message_to_a_socket_of_the_host_from_a_pair():
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_RAW)
    one.sendmsg([b"harm"], [], 0, place["datagram"])


# Other processes.

@harmless
def see_the_server():
    os.kill(place["server"], 0)


@attempt
def kill_a_process_of_the_host():
    os.kill(place["victim"], 9)


@attempt
def kill_a_process_of_the_host_by_descriptor():
    descriptor = system_call(434, place["victim"], 0)
    system_call(424, descriptor, 9, 0, 0)


@attempt
def kill_another_worker():
    os.kill(place["neighbour"], 9)


@attempt
def kill_a_thread_of_the_host():
    system_call(234 if X86 else 131, place["victim"], place["victim"], 9)


@attempt
def trace_a_process_of_the_host():
    call("ptrace", 16, place["victim"], None, None)


@attempt
def trace_without_stopping():
    call("ptrace", 0x4206, place["victim"], None, None)


@attempt
def read_the_memory_of_a_process():
    buffer = ctypes.create_string_buffer(8)
    local = struct.pack("@PN", ctypes.addressof(buffer), 8)
    call("process_vm_readv", place["victim"], local, 1, struct.pack("@PN", 0x400000, 8), 1, 0)


@attempt
def slow_down_a_process_of_the_host():
    os.setpriority(os.PRIO_PROCESS, place["victim"], 19)


@attempt
def tie_a_process_of_the_host_to_a_core():
    os.sched_setaffinity(place["victim"], {0})


@attempt
def limit_a_process_of_the_host():
    resource.prlimit(place["victim"], resource.RLIMIT_CORE, (0, 0))


@harmless
def watch_the_folder_of_the_server():
    call("inotify_add_watch", call("inotify_init1", 0), place["users"].encode(), 0xFFF)


# Privileges.

@attempt
def become_root():
    if os.getuid() == 0:
        raise OSError("it is root, without its rights")
    os.setuid(0)


@attempt
def become_another_user():
    os.setresuid(12345, 12345, 12345)


@attempt
def join_a_group():
    os.setgroups([0])


@attempt
def take_all_capabilities():
    header = struct.pack("=II", 0x20080522, 0)
    call("capset", header, struct.pack("=6I", *[0xFFFFFFFF] * 6))


@attempt
def gain_from_programs_of_root():
    if libc.prctl(39, *[ctypes.c_ulong(0)] * 4) == 1:
        raise OSError("they give no privileges here")


@attempt
def make_a_device():
    os.mknod("device", 0o600 | stat.S_IFBLK, os.makedev(254, 0))


@attempt
def make_a_character_device():
    os.mknod("memory", 0o600 | stat.S_IFCHR, os.makedev(1, 1))


@attempt
def mount_a_file_system():
    call("mount", b"none", place["scratch"].encode(), b"tmpfs", 0, None)


@attempt
def remount_the_code_for_writing():
    call("mount", None, place["code"].encode(), None, 32 | 4096, None)


@attempt
def open_a_mount():
    system_call(430, b"tmpfs", 0)


@attempt
def change_the_root():
    os.chroot(".")


@attempt
def make_a_user_namespace():
    call("unshare", 0x10000000)


@attempt
def make_a_mount_namespace():
    call("unshare", 0x00020000)


@attempt
def make_a_process_in_a_user_namespace():
    number = 56 if X86 else 220
    if system_call(number, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        os._exit(0)


@attempt
def make_a_process_in_a_user_namespace_by_the_newest_call():
    arguments = struct.pack("=11Q", 0x10000000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    if system_call(435, arguments, len(arguments)) == 0:
        os._exit(0)


@attempt
def enter_the_namespaces_of_the_server():
    call("setns", os.open("/proc/%d/ns/mnt" % place["server"], os.O_RDONLY), 0)


@attempt
def open_devices():
    for name in ["sda", "vda", "nvme0n1", "mem", "kmsg", "port", "kvm", "fuse", "net/tun", "tty0"]:
        try:
            os.close(os.open("/dev/" + name, os.O_RDONLY))
        except OSError:
            continue
        return
    raise OSError("none can be opened")


@attempt
def write_a_kernel_setting():
    write("/proc/sys/kernel/core_pattern", "wb")


@attempt
def raise_its_own_limits():
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU):
        hard = resource.getrlimit(kind)[1]
        assert hard != resource.RLIM_INFINITY
        try:
            resource.setrlimit(kind, (hard + 1, hard + 1))
        except (OSError, ValueError):
            continue
        return
    raise OSError("none can be raised")


@attempt
def load_a_program_into_the_kernel():
    system_call(321 if X86 else 280, 0, ctypes.create_string_buffer(128), 128)


@attempt
def use_an_input_output_ring():
    system_call(425, 4, ctypes.create_string_buffer(120))


@attempt
def use_the_kernel_keys():
    system_call(250 if X86 else 219, 0, -3, 1)


@attempt
def count_events_of_the_processor():
    system_call(298 if X86 else 241, ctypes.create_string_buffer(128), 0, -1, -1, 0)


@attempt
def use_the_other_numbers_of_system_calls():
    # x32: getpid with bit 30 set. Most kernels do not have them; the filter refuses them before.
    assert X86, "only there"
    try:
        system_call(0x40000000 | 39)
    except OSError as error:
        if error.errno == 1:
            raise


@attempt
def name_the_host():
    socket.sethostname("harmed")


@attempt
def type_at_the_terminal():
    import fcntl
    fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x5412, b"x")


# What is shared and is no file of its own.

@harmless
def attach_shared_memory_of_the_host():
    if call("shmget", place["shared_key"], 0, 0) >= 0:
        return


@harmless
def read_shared_memory_of_the_host_as_a_file():
    read(place["shared_file"])


def child(function):
    try:
        function()
    except (OSError, ValueError, AssertionError) as error:
        return "refused: %s" % error
    except BaseException as error:
        return "broken: %r" % error
    return "ESCAPED"


for function in attempts:
    if place["only_harmless"] and function.__name__ not in unconfined:
        continue
    reader, writer = os.pipe()
    number = os.fork()
    if number == 0:
        os.write(writer, child(function).encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 1000).decode()
    os.close(reader)
    os.waitpid(number, 0)
    print("%s: %s" % (function.__name__, said or "killed"), flush=True)
