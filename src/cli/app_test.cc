#include <gtest/gtest.h>

#include <initializer_list>

#include "cli/commands.h"

namespace acceptq::cli {
namespace {

Command parse(std::initializer_list<const char*> words) {
  std::vector<const char*> argv = {"acceptq"};
  argv.insert(argv.end(), words);
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

TEST(CommandLine, FillsInCheck) {
  const Command command =
      parse({"check", ":80", "pid:3985", "--for", "500ms", "--json", "--all", "--fail-on",
             "critical", "--scan", "netlink", "--color", "never", "--save", "x"});
  const auto* check = std::get_if<CheckOptions>(&command);
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->selectors.size(), 2U);
  EXPECT_EQ(check->seconds, 0.5);
  EXPECT_EQ(check->format, ReportFormat::kJson);
  EXPECT_TRUE(check->all);
  EXPECT_EQ(check->fail_on, FailOn::kCritical);
  EXPECT_EQ(check->scan, collect::ScanMethod::kNetlink);
  EXPECT_EQ(check->color, ColorWhen::kNever);
  EXPECT_EQ(check->save, "x");
}

TEST(CommandLine, TakesSeveralRecordings) {
  const Command command = parse({"check", "--from", "a", "b"});
  const auto* check = std::get_if<CheckOptions>(&command);
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->from, (std::vector<std::string>{"a", "b"}));
}

TEST(CommandLine, TakesSelectorsBehindRecordings) {
  for (const Command& command :
       {parse({"check", "--from", "a", "./pid:3", ":80", "pod:ns/web"}),
        parse({"check", ":80", "--from", "a", "./pid:3", "pod:ns/web"}),
        parse({"check", "--from", "a", ":80", "--json", "pod:ns/web", "--from", "./pid:3"})}) {
    const auto* check = std::get_if<CheckOptions>(&command);
    ASSERT_NE(check, nullptr);
    EXPECT_EQ(check->from, (std::vector<std::string>{"a", "./pid:3"}));
    EXPECT_EQ(check->selectors.size(), 2U);
  }
  const Command malformed = parse({"check", "--from", "a", ":http"});
  const auto* print = std::get_if<PrintAndExit>(&malformed);
  ASSERT_NE(print, nullptr);
  EXPECT_NE(print->err.find("selector \":http\""), std::string::npos) << print->err;
}

TEST(CommandLine, RefusesWithCodeTwo) {
  const std::initializer_list<const char*> wrong[] = {
      {},
      {"frob"},
      {"check", "--frob"},
      {"check", ":x"},
      {"check", "--for", "2"},
      {"check", "--for"},
      {"check", "--fail-on", "bad"},
      {"check", "--from"},
      {"explain"},
      {"completion", "tcsh"},
      {"lab"},
      {"probe"},
      {"probe", "h:1", "--rate", "-1"},
      {"probe", "h:1", "--rate", "0"},
      {"probe", "h:1", "--rate", "1e99"},
      {"probe", "h:1", "--rate", "nan"},
      {"probe", "h:1", "--count", "0"},
      {"probe", "h:1", "--count", "-1"},
      {"probe", "h:1", "--count", "18446744073709551616"},
      {"probe", "h:1", "--concurrency", "0"},
      {"probe", "h:1", "--timeout", "0s"},
      {"probe", "h:1", "--netns", ""},
      {"trace", "--count", "0"},
      {"trace", "--for", "0s"},
      {"top", "--count", "-3"},
      {"top", "--every", "0ms"},
      {"check", "--for", "999h"},
      {"check", "--for", "0s", "--until-overflow"},
      {"check", "--packets", "--for", "0s"},
      {"probe", "h:1", "--for", "0s"},
      {"check", "--save", ""},
      {"check", "--until-overflow", "--exec", ""},
  };
  for (const auto& words : wrong) {
    const Command command = parse(words);
    const auto* print = std::get_if<PrintAndExit>(&command);
    ASSERT_NE(print, nullptr);
    EXPECT_EQ(print->code, kExitUsage);
    EXPECT_TRUE(print->out.empty());
    EXPECT_TRUE(print->err.starts_with("acceptq: ")) << print->err;
  }
}

TEST(CommandLine, TakesNoTimeToWatchForOneLook) {
  const Command command = parse({"check", "--for", "0s"});
  const auto* check = std::get_if<CheckOptions>(&command);
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->seconds, 0);
}

TEST(CommandLine, ShowsHelpAndExamplesOfEveryCommand) {
  for (const char* name : {"check", "explain", "probe", "lab", "completion"}) {
    const Command command = parse({name, "--help"});
    const auto* print = std::get_if<PrintAndExit>(&command);
    ASSERT_NE(print, nullptr) << name;
    EXPECT_EQ(print->code, 0);
    EXPECT_NE(print->out.find(std::string("acceptq ") + name), std::string::npos) << print->out;
    EXPECT_NE(print->out.find("Example"), std::string::npos) << print->out;
  }
}

TEST(CommandLine, CompletesEveryCommandInEveryShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Command command = parse({"completion", shell});
    const auto* print = std::get_if<PrintAndExit>(&command);
    ASSERT_NE(print, nullptr) << shell;
    for (const char* word : {"check", "explain", "probe", "lab", "completion", "fail-on"}) {
      EXPECT_NE(print->out.find(word), std::string::npos) << shell << ' ' << word;
    }
  }
}

}  // namespace
}  // namespace acceptq::cli
