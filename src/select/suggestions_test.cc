#include "select/suggestions.h"

#include <gtest/gtest.h>

namespace acceptq::select {
namespace {

using Texts = std::vector<std::string>;

class Suggestions : public ::testing::Test {
 protected:
  Suggestions() {
    add(22, "sshd", {});
    add(8080, "nginx", "shop");
    add(8443, "nginx", "shop");
    add(9000, "php-fpm8.2", "blog");
    facts::Listener local;
    local.protocol = facts::Protocol::kUnix;
    local.path = "/run/php/php8.2-fpm.sock";
    snapshot_.listeners.push_back(local);
  }
  Texts of(const char* selector, std::size_t most = 2) {
    return suggestions(*parse_selector(selector), snapshot_, most);
  }

  facts::Snapshot snapshot_;

 private:
  void add(std::uint16_t port, const char* comm, const char* pod) {
    facts::Process process;
    process.pid = Pid(port);
    process.comm = comm;
    if (pod != nullptr) process.pod = facts::Pod{.ns = "default", .name = pod, .uid = ""};
    facts::Listener listener;
    listener.port = port;
    listener.owners = {{process.pid, 3}};
    snapshot_.processes.push_back(process);
    snapshot_.listeners.push_back(listener);
  }
};

TEST_F(Suggestions, NamesTheNearestPorts) {
  EXPECT_EQ(of(":8081"), (Texts{"0.0.0.0:8080", "0.0.0.0:8443"}));
  EXPECT_EQ(of("10.0.0.1:23", 1), (Texts{"0.0.0.0:22"}));
}

TEST_F(Suggestions, NamesWhatIsSpeltAlike) {
  EXPECT_EQ(of("comm:nginz", 1), Texts{"comm:nginx"});
  EXPECT_EQ(of("comm:php-fpm", 1), Texts{"comm:php-fpm8.2"});
  EXPECT_EQ(of("pod:default/bloc", 1), Texts{"pod:default/blog"});
  EXPECT_EQ(of("unix:/run/php.sock"), Texts{"unix:/run/php/php8.2-fpm.sock"});
}

TEST_F(Suggestions, NamesEndpointsWhereNothingOfTheKindIs) {
  EXPECT_EQ(of("container:49b4135534da", 1), Texts{"0.0.0.0:22"});
  snapshot_ = {};
  EXPECT_TRUE(of(":80").empty());
}

}  // namespace
}  // namespace acceptq::select
