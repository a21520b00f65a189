// A control group of a test's own, below the one that the test runs in.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace acceptq::test {

class ControlGroup {
 public:
  // Below the directory `parent`. `made()` is false where the kernel refuses.
  explicit ControlGroup(std::string parent) : parent_(std::move(parent)) {
    static std::atomic<int> number = 0;
    name_ = "acceptq-test-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
    made_ = ::mkdir(dir().c_str(), 0755) == 0;
  }
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;
  // Nothing that is in the group holds its end up: it is thawed and moved out.
  ~ControlGroup() {
    if (!made_) return;
    (void)set("freezer.state", "THAWED");
    (void)set("cgroup.freeze", "0");
    const std::string members = read_file(dir() + "/cgroup.procs").value_or(std::string());
    for (const std::string_view pid : split_blank(members)) {
      (void)write_setting(parent_ + "/cgroup.procs", std::string(pid));
    }
    if (::rmdir(dir().c_str()) != 0) std::perror(dir().c_str());
  }

  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] std::string name() const { return name_; }
  [[nodiscard]] std::string dir() const { return parent_ + "/" + name_; }
  [[nodiscard]] bool set(const std::string& file, const std::string& value) const {
    return write_setting(dir() + "/" + file, value).has_value();
  }
  [[nodiscard]] bool take(pid_t pid) const { return set("cgroup.procs", std::to_string(pid)); }

 private:
  std::string parent_;
  std::string name_;
  bool made_ = false;
};

}  // namespace acceptq::test
