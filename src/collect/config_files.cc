#include "collect/config_files.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/child.h"
#include "base/file.h"
#include "base/text.h"
#include "collect/procfs/process.h"

namespace acceptq::collect {
namespace {

using Clock = std::chrono::steady_clock;
using Fields = std::vector<std::string>;

// The line between the two: a message is its length and then fields, each its length and its bytes.
constexpr std::size_t kMaxMessage = std::size_t{16} << 20;
constexpr std::size_t kMaxCommandLine = std::size_t{1} << 20;
constexpr std::string_view kInvocation = "how were you started?";  // no absolute name
constexpr std::string_view kOk = "ok";

void put_number(std::string& to, std::size_t number) {
  const auto value = static_cast<std::uint32_t>(number);
  std::array<char, sizeof value> bytes;
  std::memcpy(bytes.data(), &value, sizeof value);
  to.append(bytes.data(), bytes.size());
}

std::uint32_t number_at(std::string_view from) {
  std::uint32_t value = 0;
  std::memcpy(&value, from.data(), sizeof value);
  return value;
}

std::string encode(const Fields& fields) {
  std::string body;
  for (const std::string& field : fields) {
    put_number(body, field.size());
    body += field;
  }
  std::string message;
  put_number(message, body.size());
  return message + body;
}

Fields decode(std::string_view body) {
  constexpr std::size_t kHead = sizeof(std::uint32_t);
  Fields fields;
  while (body.size() >= kHead) {
    const std::size_t size = number_at(body);
    body.remove_prefix(kHead);
    fields.emplace_back(body.substr(0, size));
    body.remove_prefix(std::min(size, body.size()));
  }
  return fields;
}

Fields encode_error(const Error& error) {
  return {std::to_string(static_cast<int>(error.code)), std::to_string(error.sys_errno),
          error.context};
}

Error decode_error(const Fields& fields) {
  const auto number = [&](std::size_t i) { return parse_int<int>(fields[i]).value_or(0); };
  if (fields.size() != 3) return {ErrorCode::kIo, 0, "the reader of configuration files failed"};
  return {static_cast<ErrorCode>(number(0)), number(1), fields[2]};
}

// All of `size` bytes, waiting until `until` for each part; a time-out is ETIMEDOUT, the end of the
// line ECONNRESET. Returns 0 or an errno.
int transfer(int fd, short event, char* bytes, std::size_t size, Clock::time_point until) {
  while (size > 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return ETIMEDOUT;
    pollfd polled{.fd = fd, .events = event, .revents = 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(std::min<long>(left, 60000)));
    if (ready < 0 && errno != EINTR) return errno;
    if (ready <= 0) continue;
    const ssize_t n = event == POLLIN ? ::recv(fd, bytes, size, MSG_DONTWAIT)
                                      : ::send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n == 0) return ECONNRESET;
    if (n < 0 && errno != EINTR && errno != EAGAIN) return errno;
    if (n < 0) continue;
    bytes += n;
    size -= static_cast<std::size_t>(n);
  }
  return 0;
}

int send_message(int fd, const Fields& fields, Clock::time_point until) {
  std::string message = encode(fields);
  return transfer(fd, POLLOUT, message.data(), message.size(), until);
}

int receive_message(int fd, Fields& fields, Clock::time_point until) {
  std::array<char, sizeof(std::uint32_t)> head{};
  if (const int err = transfer(fd, POLLIN, head.data(), head.size(), until); err != 0) return err;
  const std::size_t size = number_at({head.data(), head.size()});
  if (size > kMaxMessage) return EMSGSIZE;
  std::string body(size, '\0');
  if (const int err = transfer(fd, POLLIN, body.data(), size, until); err != 0) return err;
  fields = decode(body);
  return 0;
}

// ---- The child ----

// The process, held by its directory of /proc: the PID may become another's, the descriptor not.
class Subject {
 public:
  Subject(Pid pid, std::uint64_t start_ticks, const ConfigFilesOptions& options)
      : opened_(open(pid, start_ticks, options)) {}

  Fields answer(const std::string& question) {
    if (!opened_) return encode_error(opened_.error());
    if (question == kInvocation) return invocation();
    const Result<std::vector<config::File>> files = files_->read(question);
    if (!files) return encode_error(files.error());
    Fields fields = {std::string(kOk)};
    for (const config::File& file : *files) {
      fields.push_back(file.path);
      fields.push_back(file.text);
      const facts::FileIdentity identity = file.identity.value_or(facts::FileIdentity{});
      fields.push_back(std::to_string(identity.device));
      fields.push_back(std::to_string(identity.inode));
    }
    return fields;
  }

 private:
  Status open(Pid pid, std::uint64_t start_ticks, const ConfigFilesOptions& options) {
    const std::string path = options.proc_root + "/" + std::to_string(pid.value());
    directory_ = UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory_.valid()) return fail_errno(errno, path);
    const Result<std::string> text = read_file_at(directory_.get(), "stat");
    const Result<procfs::StatFields> stat = text ? procfs::parse_stat(*text) : fail(text.error());
    if (!stat) return fail(stat.error());
    if (stat->start_ticks != start_ticks) {
      return fail(ErrorCode::kNotFound, path + ": it is another process by now");
    }
    root_name_ = read_link_at(directory_.get(), "root").value_or("/");
    if (Status status = open_root(options, stat->parent); !status) return status;
    files_.emplace(root_.get(), root_name_, options.limits);
    return {};
  }

  // The root that the process had when it read its files. A server may have locked itself into an
  // empty directory since, outside of which its own program lies (HAProxy's `chroot`): then it is
  // that of the nearest ancestor that sees the same mounts and did no such thing.
  Status open_root(const ConfigFilesOptions& options, Pid parent) {
    constexpr int kGenerations = 8;
    const std::string mounts = read_link_at(directory_.get(), "ns/mnt").value_or("");
    UniqueFd ancestor;
    int of = directory_.get();
    for (int i = 0; link("exe").empty() && i < kGenerations; ++i) {
      const std::string path = options.proc_root + "/" + std::to_string(parent.value());
      ancestor = UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
      of = ancestor.get();
      const auto text = ancestor.valid() ? read_file_at(of, "stat") : fail_errno(errno, path);
      const auto stat = text ? procfs::parse_stat(*text) : fail(text.error());
      if (!stat || read_link_at(of, "ns/mnt").value_or("?") != mounts) {
        return fail(ErrorCode::kNotFound,
                    "the process has changed its root to " + root_name_ +
                        ", and no process above it shows where its configuration is");
      }
      root_name_ = read_link_at(of, "root").value_or(root_name_);
      parent = stat->parent;
    }
    root_ = UniqueFd(::openat(of, "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root_.valid()) return fail_errno(errno, "the root of the process");
    return {};
  }

  Fields invocation() {
    const Result<std::string> words = read_file_at(directory_.get(), "cmdline", kMaxCommandLine);
    if (!words) return encode_error(words.error());
    Fields fields = {std::string(kOk), link("exe"), link("cwd")};
    std::string_view rest = *words;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\0'), rest.size());
      fields.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return fields;
  }

  std::string link(const char* name) {
    constexpr std::string_view kDeleted = " (deleted)";
    std::string target = read_link_at(directory_.get(), name).value_or("");
    if (target.ends_with(kDeleted)) target.resize(target.size() - kDeleted.size());
    return below_root(target, root_name_);
  }

  UniqueFd directory_;
  UniqueFd root_;
  std::string root_name_;
  std::optional<RootedFiles> files_;
  Status opened_;  // the last, as open() fills in the others
};

// Keeps nothing of the parent's but the line, so that one left behind holds no pipe open.
UniqueFd keep_only(int line) {
  constexpr int kLine = 3;
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  UniqueFd kept(::fcntl(line, F_DUPFD_CLOEXEC, kLine + 1));
  if (null >= 0) {
    for (const int standard : {0, 1, 2}) (void)::dup2(null, standard);
  }
  if (!kept.valid() || ::dup2(kept.get(), kLine) < 0) ::_exit(1);
  // Linux 5.9; before that the others stay open, which costs little.
  (void)::syscall(SYS_close_range, kLine + 1, ~0U, 0);
  (void)kept.release();
  return UniqueFd(kLine);
}

[[noreturn]] void run_child(pid_t parent, int line, Pid pid, std::uint64_t start_ticks,
                            const ConfigFilesOptions& options) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  const UniqueFd kept = keep_only(line);
  const Clock::time_point until = Clock::now() + options.time;
  Subject subject(pid, start_ticks, options);
  Fields question;
  while (receive_message(kept.get(), question, until) == 0 && question.size() == 1) {
    if (send_message(kept.get(), subject.answer(question[0]), until) != 0) break;
  }
  ::_exit(0);
}

}  // namespace

Result<ConfigFiles> ConfigFiles::of(Pid pid, std::uint64_t start_ticks,
                                    const ConfigFilesOptions& options) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno(errno, "cannot make a socket pair");
  }
  UniqueFd here(ends[0]);
  const UniqueFd there(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "cannot start the reader of configuration files");
  if (child == 0) run_child(parent, there.get(), pid, start_ticks, options);
  return ConfigFiles(pid, child, std::move(here), Clock::now() + options.time);
}

ConfigFiles::~ConfigFiles() {
  if (!line_.valid()) return;  // moved from
  ::kill(child_, SIGKILL);
  constexpr std::chrono::milliseconds kToEnd{100};
  reap_within(child_, kToEnd);
}

Result<std::vector<std::string>> ConfigFiles::ask(const std::string& question) {
  Fields fields;
  int err = send_message(line_.get(), {question}, until_);
  if (err == 0) err = receive_message(line_.get(), fields, until_);
  const std::string what = (question == kInvocation ? "the command line" : question) +
                           " of process " + std::to_string(pid_.value());
  if (err == ETIMEDOUT) {
    return fail(ErrorCode::kInterrupted, "reading " + what + " took too long");
  }
  if (err != 0) return fail_errno(err, "cannot read " + what);
  if (fields.empty() || fields[0] != kOk) return fail(decode_error(fields));
  fields.erase(fields.begin());
  return fields;
}

Result<config::Invocation> ConfigFiles::invocation() {
  Result<Fields> fields = ask(std::string(kInvocation));
  if (!fields) return fail(fields.error());
  config::Invocation invocation{.program = fields->at(0), .directory = fields->at(1), .pid = pid_};
  invocation.arguments.assign(fields->begin() + 2, fields->end());
  return invocation;
}

Result<std::vector<config::File>> ConfigFiles::read(const std::string& pattern) {
  Result<Fields> fields = ask(pattern);
  if (!fields) return fail(fields.error());
  std::vector<config::File> files;
  constexpr std::size_t kEach = 4;
  const auto number = [&](std::size_t i) {
    return parse_int<std::uint64_t>((*fields)[i]).value_or(0);
  };
  for (std::size_t i = 0; i + kEach <= fields->size(); i += kEach) {
    files.push_back({.path = std::move((*fields)[i]),
                     .text = std::move((*fields)[i + 1]),
                     .identity = facts::FileIdentity{number(i + 2), number(i + 3)}});
  }
  return files;
}

}  // namespace acceptq::collect
