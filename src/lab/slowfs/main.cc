// acceptq-slowfs MOUNTPOINT --backing DIR [--open-ms N] [--read-ms N] [--control FIFO]
//                [--direct-io]
// Stays in the foreground; prints "ready" once mounted.
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#include "base/text.h"
#include "base/unique_fd.h"
#include "lab/slowfs/delay.h"
#include "lab/slowfs/filesystem.h"

namespace {

using acceptq::Result;
using acceptq::UniqueFd;
namespace slowfs = acceptq::lab::slowfs;

constexpr const char* kUsage =
    "usage: acceptq-slowfs MOUNTPOINT --backing DIR [--open-ms N] [--read-ms N] [--control FIFO]\n"
    "                      [--direct-io]\n"
    "Shows DIR read-only at MOUNTPOINT, slowly. Lines written to FIFO change it while it is\n"
    "mounted: \"open-ms N\", \"read-ms N\", \"stall\" (no request is answered), \"resume\".\n";

struct Arguments {
  slowfs::MountOptions mount;
  slowfs::Command open{slowfs::Command::Kind::kOpenDelay, {}};
  slowfs::Command read{slowfs::Command::Kind::kReadDelay, {}};
  std::string control;
};

Result<Arguments> parse_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--direct-io") {
      arguments.mount.direct_io = true;
      continue;
    }
    if (!word.starts_with("--")) {
      if (!arguments.mount.mountpoint.empty()) {
        return fail(acceptq::ErrorCode::kMalformed, "more than one mount point");
      }
      arguments.mount.mountpoint = word;
      continue;
    }
    if (i + 1 >= argc) {
      return fail(acceptq::ErrorCode::kMalformed, std::string(word) + " needs a value");
    }
    const std::string value = argv[++i];
    if (word == "--backing") {
      arguments.mount.backing = value;
    } else if (word == "--control") {
      arguments.control = value;
    } else if (word == "--open-ms" || word == "--read-ms") {
      const Result<slowfs::Command> command =
          slowfs::parse_command(std::string(word.substr(2)) + " " + value);
      if (!command) return fail(command.error());
      (word == "--open-ms" ? arguments.open : arguments.read) = *command;
    } else {
      return fail(acceptq::ErrorCode::kMalformed, "unknown option " + std::string(word));
    }
  }
  if (arguments.mount.mountpoint.empty() || arguments.mount.backing.empty()) {
    return fail(acceptq::ErrorCode::kMalformed, "a mount point and --backing are needed");
  }
  return arguments;
}

// Opened for reading and writing, so that it never comes to its end when a writer closes it.
Result<UniqueFd> open_control(const std::string& path) {
  if (::mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) {
    return acceptq::fail_errno(errno, "making the control FIFO " + path);
  }
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return acceptq::fail_errno(errno, "opening the control FIFO " + path);
  return fd;
}

void follow_control(int fd, slowfs::Delay& delay) {
  std::string pending;
  std::array<char, 512> buffer{};
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    pending.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
      const Result<slowfs::Command> command = slowfs::parse_command(pending.substr(0, end));
      pending.erase(0, end + 1);
      if (command) {
        delay.apply(*command);
      } else {
        std::fprintf(stderr, "acceptq-slowfs: %s\n", command.error().message().c_str());
      }
    }
    // A line without end is nobody's command.
    if (pending.size() > 4096) pending.clear();
  }
}

void say_ready() {
  std::puts("ready");
  std::fflush(stdout);
}

int run(const Arguments& arguments) {
  slowfs::Delay delay(arguments.open.delay, arguments.read.delay);
  UniqueFd control;
  if (!arguments.control.empty()) {
    Result<UniqueFd> opened = open_control(arguments.control);
    if (!opened) {
      std::fprintf(stderr, "acceptq-slowfs: %s\n", opened.error().message().c_str());
      return 1;
    }
    control = *std::move(opened);
    // Signals are for the main thread, whose wait they end.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    // Blocked in read() for good; ends with the process, which outlives neither `delay` nor it.
    std::thread([fd = control.get(), &delay] { follow_control(fd, delay); }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  const acceptq::Status served = slowfs::serve(arguments.mount, delay, say_ready);
  if (!served) std::fprintf(stderr, "acceptq-slowfs: %s\n", served.error().message().c_str());
  std::fflush(nullptr);
  // Not a return: the follower still refers to `delay`.
  ::_exit(served ? 0 : 1);
}

}  // namespace

int main(int argc, char** argv) {
  const Result<Arguments> arguments = parse_arguments(argc, argv);
  if (!arguments) {
    std::fprintf(stderr, "acceptq-slowfs: %s\n%s", arguments.error().message().c_str(), kUsage);
    return 2;
  }
  return run(*arguments);
}
