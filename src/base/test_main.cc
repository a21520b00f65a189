// main() of every test program: exit code 77 (CTest's "skipped") where all tests that ran were
// skipped, so that a privileged test without privileges is never counted as passed.
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  const testing::UnitTest& unit = *testing::UnitTest::GetInstance();
  if (status == 0 && unit.successful_test_count() == 0 && unit.skipped_test_count() > 0) return 77;
  return status;
}
