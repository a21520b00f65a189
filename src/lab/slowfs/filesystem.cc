#define FUSE_USE_VERSION 312
#include "lab/slowfs/filesystem.h"

#include <dirent.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace acceptq::lab::slowfs {
namespace {

struct Context {
  UniqueFd root;
  Delay* delay = nullptr;
  bool direct_io = false;
};

Context& context() { return *static_cast<Context*>(fuse_get_context()->private_data); }

// Paths come as "/a/b"; relative to the backing directory they are "a/b", its own is ".".
const char* relative(const char* path) { return path[1] == '\0' ? "." : path + 1; }

void* fs_init(fuse_conn_info* /*connection*/, fuse_config* config) {
  // Names and attributes are asked for anew each time, as with NFS's noac: nothing but the delay
  // decides how long a request takes.
  config->entry_timeout = 0;
  config->attr_timeout = 0;
  config->negative_timeout = 0;
  config->kernel_cache = 0;
  config->nullpath_ok = 0;
  return fuse_get_context()->private_data;
}

int fs_getattr(const char* path, struct stat* out, fuse_file_info* /*info*/) {
  if (::fstatat(context().root.get(), relative(path), out, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
  return 0;
}

int fs_readlink(const char* path, char* buffer, std::size_t size) {
  const ssize_t length = ::readlinkat(context().root.get(), relative(path), buffer, size - 1);
  if (length < 0) return -errno;
  buffer[length] = '\0';
  return 0;
}

int fs_readdir(const char* path, void* buffer, fuse_fill_dir_t fill, off_t /*offset*/,
               fuse_file_info* /*info*/, fuse_readdir_flags /*flags*/) {
  UniqueFd fd(::openat(context().root.get(), relative(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return -errno;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd.get()), ::closedir);
  if (!directory) return -errno;
  static_cast<void>(fd.release());  // the DIR owns it now
  while (const dirent* entry = ::readdir(directory.get())) {
    if (fill(buffer, entry->d_name, nullptr, 0, fuse_fill_dir_flags{}) != 0) break;
  }
  return 0;
}

int fs_open(const char* path, fuse_file_info* info) {
  if ((info->flags & O_ACCMODE) != O_RDONLY) return -EROFS;
  if (!context().delay->wait(Operation::kOpen)) return -EIO;
  const int fd = ::openat(context().root.get(), relative(path), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  info->fh = static_cast<std::uint64_t>(fd);
  info->direct_io = context().direct_io ? 1 : 0;
  return 0;
}

int fs_read(const char* /*path*/, char* buffer, std::size_t size, off_t offset,
            fuse_file_info* info) {
  if (!context().delay->wait(Operation::kRead)) return -EIO;
  const ssize_t got = ::pread(static_cast<int>(info->fh), buffer, size, offset);
  return got < 0 ? -errno : static_cast<int>(got);
}

// Nothing to do, but close() asks for it, as it does of NFS and most daemons; without an answer
// once, the kernel would stop asking.
int fs_flush(const char* /*path*/, fuse_file_info* /*info*/) { return 0; }

int fs_release(const char* /*path*/, fuse_file_info* info) {
  ::close(static_cast<int>(info->fh));
  return 0;
}

fuse_operations operations() {
  fuse_operations table{};
  table.init = fs_init;
  table.getattr = fs_getattr;
  table.readlink = fs_readlink;
  table.readdir = fs_readdir;
  table.open = fs_open;
  table.read = fs_read;
  table.flush = fs_flush;
  table.release = fs_release;
  return table;
}

}  // namespace

Status serve(const MountOptions& options, Delay& delay, void (*ready)()) {
  Context state;
  state.root = UniqueFd(::open(options.backing.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!state.root.valid()) return fail_errno(errno, "backing directory " + options.backing);
  state.delay = &delay;
  state.direct_io = options.direct_io;

  const fuse_operations table = operations();
  std::string program = "acceptq-slowfs";
  std::string flag = "-o";
  std::string value = "ro,allow_other,fsname=acceptq-slowfs,subtype=acceptq-slowfs";
  char* arguments[] = {program.data(), flag.data(), value.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(3, arguments);
  const std::unique_ptr<fuse, void (*)(fuse*)> fs(fuse_new(&args, &table, sizeof table, &state),
                                                  fuse_destroy);
  fuse_opt_free_args(&args);
  if (!fs) return fail(ErrorCode::kIo, "libfuse refused its options");
  fuse_session* const session = fuse_get_session(fs.get());
  if (fuse_set_signal_handlers(session) != 0) {
    return fail(ErrorCode::kIo, "installing signal handlers");
  }
  if (fuse_mount(fs.get(), options.mountpoint.c_str()) != 0) {
    fuse_remove_signal_handlers(session);
    return fail(ErrorCode::kIo,
                "mounting on " + options.mountpoint + " (needs /dev/fuse, and the right to mount)");
  }
  // The loop joins its workers when it ends, and a worker that waits in Delay would keep it from
  // ending: this thread wakes them.
  std::jthread watcher([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && fuse_session_exited(session) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    delay.shut_down();
  });
  ready();
  fuse_loop_config* const config = fuse_loop_cfg_create();
  // Enough for every reader of a scenario to wait at the same time; libfuse's own bound of 10 would
  // serialise them.
  fuse_loop_cfg_set_max_threads(config, 512);
  fuse_loop_cfg_set_idle_threads(config, 16);
  const int status = fuse_loop_mt(fs.get(), config);
  fuse_loop_cfg_destroy(config);
  watcher.request_stop();
  watcher.join();
  fuse_unmount(fs.get());
  fuse_remove_signal_handlers(session);
  // A positive status is the signal that ended the loop.
  if (status < 0) return fail_errno(-status, "serving requests");
  return {};
}

}  // namespace acceptq::lab::slowfs
