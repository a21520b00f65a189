// Pressure, throttling and NFS: hints where they are large, and no causes.
#include "import/import_test_support.h"

namespace acceptq::imports {
namespace {

std::string cpu_stat(int periods, int throttled, int usec) {
  return "usage_usec 900\nuser_usec 500\nsystem_usec 400\nnr_periods " + std::to_string(periods) +
         "\nnr_throttled " + std::to_string(throttled) + "\nthrottled_usec " +
         std::to_string(usec) + "\n";
}

std::string mountstats(int operations, int milliseconds) {
  return "device proc mounted on /proc with fstype proc\n"
         "device 10.0.0.9:/data mounted on /data with fstype nfs4 statvers=1.1\n"
         "\tper-op statistics\n"
         "\t        READ: " +
         std::to_string(operations) + " 1 0 1 1 1 1 " + std::to_string(milliseconds) + " 0\n";
}

std::vector<std::string> hints(const std::string& text) {
  const Observation observation = import_one(text + "\n" + std::string(kSs));
  EXPECT_TRUE(reasons(observation, "AQ621").empty()) << text;
  EXPECT_TRUE(observation.accept_evidence == facts::AcceptEvidence{});
  return reasons(observation, "AQ622");
}

TEST(Hints, PressureIsNamedWhereItIsHigh) {
  const std::string low = "some avg10=0.12 avg60=0.05 avg300=0.01 total=2148\n";
  const std::string high = "some avg10=42.50 avg60=0.05 avg300=0.01 total=2148\n";
  const std::string full = "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
  EXPECT_TRUE(hints("$ cat /proc/pressure/cpu\n" + low + full).empty());
  const std::string forms[] = {
      "$ cat /proc/pressure/io\n" + high + full,
      "$ cat /proc/pressure/*\n" + low + full + high + full + low + full,
      "$ cat /proc/pressure/*\n" + low + full + high + full + full + low + full,  // interrupts
      "$ grep . /proc/pressure/*\n/proc/pressure/cpu:" + low + "/proc/pressure/io:" + high +
          "/proc/pressure/io:" + full};
  for (const std::string& text : forms) {
    ASSERT_EQ(hints(text).size(), 1U) << text;
    EXPECT_NE(hints(text)[0].find("42 % of 10 s some program had to wait for io"),
              std::string::npos)
        << hints(text)[0];
  }
}

TEST(Hints, ThrottlingIsWhatGrewBetweenTwoSamples) {
  EXPECT_NE(
      hints("$ cat cpu.stat\n" + cpu_stat(1000, 900, 5000000)).at(0).find("since it was made"),
      std::string::npos);
  EXPECT_TRUE(hints(cpu_stat(1000, 3, 5000)).empty());
  const std::string before = "$ cat cpu.stat\n" + cpu_stat(1000, 900, 5000000) + "$ cat cpu.stat\n";
  EXPECT_TRUE(hints(before + cpu_stat(1100, 900, 5000000)).empty());
  EXPECT_NE(hints(before + cpu_stat(1100, 980, 13000000)).at(0).find("80 of 100 periods, 8.0 s"),
            std::string::npos);
}

TEST(Hints, NfsIsNamedWhereItIsSlow) {
  EXPECT_TRUE(hints(mountstats(100, 200)).empty());
  EXPECT_NE(hints(mountstats(100, 25000)).at(0).find("10.0.0.9:/data (NFS, at /data) took 250 ms"),
            std::string::npos);
  // It was slow once, and is not now.
  EXPECT_TRUE(hints(mountstats(100, 25000) + mountstats(300, 25100)).empty());
  EXPECT_NE(hints(mountstats(100, 200) + mountstats(110, 10200)).at(0).find("took 1000 ms"),
            std::string::npos);
}

}  // namespace
}  // namespace acceptq::imports
