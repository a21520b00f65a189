#include "collect/procfs/owner_details.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace acceptq::collect::procfs {
namespace {

std::string program(const std::vector<std::string>& words) {
  std::string cmdline;
  for (const std::string& word : words) cmdline += word + '\0';
  return program_of(cmdline).value_or("nothing");
}

TEST(ProgramOf, FindsWhatAnInterpreterRuns) {
  EXPECT_EQ(program({"python3", "-m", "uvicorn", "app:app"}), "uvicorn");
  EXPECT_EQ(program({"/usr/bin/python3.11", "-Im", "hypercorn"}), "hypercorn");
  EXPECT_EQ(program({"python3", "-mgunicorn", "--workers=2"}), "gunicorn");
  EXPECT_EQ(program({"python3", "-X", "dev", "-Werror", "-u", "/usr/bin/gunicorn", "-w", "2"}),
            "gunicorn");
  EXPECT_EQ(program({"python", "/usr/lib/python3/dist-packages/waitress/__main__.py"}), "waitress");
  EXPECT_EQ(program({"/usr/bin/ruby", "-I", "lib", "/usr/bin/puma", "-p", "80"}), "puma");
  EXPECT_EQ(program({"java", "-Xmx1g", "-cp", "a.jar:b.jar", "-Dx=y",
                     "org.apache.catalina.startup.Bootstrap", "start"}),
            "org.apache.catalina.startup.Bootstrap");
  EXPECT_EQ(program({"/bin/busybox", "httpd", "-f", "-p", "8080"}), "httpd");
  EXPECT_EQ(program({"/opt/jdk/bin/java", "-jar", "/srv/start.jar"}), "start.jar");
}

TEST(ProgramOf, FindsOtherProgramsByTheirName) {
  EXPECT_EQ(program({"/usr/sbin/nginx", "-g", "daemon off;"}), "nginx");
  EXPECT_EQ(program({"nginx: worker process"}), "nginx");
  EXPECT_EQ(program({"gunicorn: master [app:app]"}), "gunicorn");
  EXPECT_EQ(program({"puma 5.6.5 (tcp://0.0.0.0:3000) [app]"}), "puma");
  EXPECT_EQ(program({"/opt/python-server", "x"}), "python-server");
}

// Code on the command line and what stands behind it may hold anything.
TEST(ProgramOf, KeepsNeitherCodeNorArguments) {
  EXPECT_EQ(program({"python3", "-c", "password = 1"}), "nothing");
  EXPECT_EQ(program({"python3", "-uc", "password = 1"}), "nothing");
  EXPECT_EQ(program({"ruby", "-e", "x"}), "nothing");
  EXPECT_EQ(program({"python3"}), "nothing");
  EXPECT_EQ(program({"python3", "-m"}), "nothing");
  EXPECT_EQ(program({""}), "nothing");
  EXPECT_EQ(program({}), "nothing");
}

TEST(ParseOpenFilesLimit, TakesTheSoftLimit) {
  const std::string text =
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max cpu time              unlimited            unlimited            seconds   \n"
      "Max open files            64                   20000                files     \n";
  EXPECT_EQ(parse_open_files_limit(text), 64U);
  EXPECT_EQ(parse_open_files_limit("Max open files            unlimited   unlimited   files\n"),
            std::nullopt);
  EXPECT_EQ(parse_open_files_limit("Max open files"), std::nullopt);
  EXPECT_EQ(parse_open_files_limit(""), std::nullopt);
}

}  // namespace
}  // namespace acceptq::collect::procfs
