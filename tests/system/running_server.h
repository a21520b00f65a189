// Real servers with the configuration that Debian gives them, and how each is started.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "config/edit.h"
#include "support/child.h"
#include "support/file_tree.h"
#include "support/netns.h"

namespace acceptq::test {

struct ServerCase {
  const char* name;
  const char* row;        // of the table of known servers
  const char* program;    // that must be there
  const char* etc;        // what of the host's /etc it needs, copied; "": nothing
  const char* file = "";  // in it; other packages make the folder, too
  const char* prepare;    // in its mount namespace, before it starts
  const char* start;      // in the foreground
  std::uint16_t port;     // or
  const char* unix_path;  // null
  const char* address;    // as the listener has it
  const char* arguments;  // that stand behind all options; may be null
  bool child;             // it runs below the shell that starts it, which stays
  std::uint32_t usual;    // its limit by default
  config::Effect effect = config::Effect::kRestart;  // of the edit
};

// Those of `make test`, and the others of `make test-full`.
[[nodiscard]] std::span<const ServerCase> some_servers();
[[nodiscard]] std::span<const ServerCase> more_servers();

// One of them, in a network namespace and a mount namespace of its own, with copies of its files
// there.
class RunningServer {
 public:
  // With these files, by their paths below the root, beside what it has of the host's /etc.
  explicit RunningServer(const ServerCase& server,
                         const std::map<std::string, std::string>& files = {});

  void start();
  // Of its listener now.
  [[nodiscard]] std::optional<std::uint32_t> limit() const;
  // The limit, once it is `wanted`; else what it is in the end.
  [[nodiscard]] std::optional<std::uint32_t> await(std::uint32_t wanted) const;
  [[nodiscard]] Result<config::Edit> edit(std::uint32_t value) const;
  // As it says itself.
  void apply(const config::Edit& edit);
  void write(const std::string& path, const std::string& text) const { tree_.write(path, text); }
  // Below its files' root.
  void patch(const std::string& text) const;
  // Its master was started in place of the shell.
  void reload() const { run("kill -HUP " + std::to_string(process_->pid())); }
  [[nodiscard]] std::string selector() const { return ns_.selector(); }

 private:
  // Among its mounts and in its network namespace.
  void run(const std::string& command) const;
  [[nodiscard]] std::string server_pid() const;
  [[nodiscard]] bool is_wanted(std::string_view local) const;

  const ServerCase& server_;
  TestNetns ns_;
  FileTree tree_;
  std::string option_;  // of its command line, that an edit has told
  std::unique_ptr<Background> process_;
};

}  // namespace acceptq::test
