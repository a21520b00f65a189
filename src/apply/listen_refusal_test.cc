#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "apply/listen_call.h"

namespace acceptq::apply {
namespace {

using testing::HasSubstr;

const Holder kHolder{.pid = Pid{3985}, .fd = 6, .start_ticks = 77};

Error refusal(Step step, int error, const Privileges& privileges = {}) {
  return to_error({.step = step, .sys_errno = error}, kHolder, privileges);
}

TEST(ListenRefusal, AnOldKernelIsToldFromAHiddenCall) {
  const Error old = refusal(Step::kTakeDescriptor, ENOSYS, {.kernel = "5.4.0-100-generic"});
  EXPECT_EQ(old.code, ErrorCode::kUnsupported);
  EXPECT_THAT(old.message(), HasSubstr("this kernel (5.4.0-100-generic) has no pidfd_getfd()"));
  EXPECT_THAT(old.message(), HasSubstr("restart it instead"));
  const Error hidden = refusal(Step::kTakeDescriptor, ENOSYS, {.kernel = "6.1.0-56-amd64"});
  EXPECT_EQ(hidden.code, ErrorCode::kUnsupported);
  EXPECT_THAT(hidden.message(), HasSubstr("seccomp"));
  EXPECT_THAT(refusal(Step::kOpenProcess, ENOSYS, {.kernel = "4.19.0"}).message(),
              HasSubstr("no pidfd_open()"));
}

TEST(ListenRefusal, WhatForbidsItIsNamed) {
  const Error capability = refusal(Step::kTakeDescriptor, EPERM);
  EXPECT_EQ(capability.code, ErrorCode::kPermission);
  EXPECT_THAT(capability.message(), HasSubstr("CAP_SYS_PTRACE"));
  EXPECT_THAT(capability.message(), HasSubstr("descriptor 6 of pid 3985"));
  EXPECT_THAT(
      refusal(Step::kTakeDescriptor, EPERM, {.ptrace_capability = true, .yama_scope = 3}).message(),
      HasSubstr("kernel.yama.ptrace_scope is 3"));
  // A lower scope lets those through who have the capability.
  EXPECT_THAT(
      refusal(Step::kTakeDescriptor, EPERM, {.ptrace_capability = true, .yama_scope = 2}).message(),
      HasSubstr("seccomp profile or a security module"));
}

TEST(ListenRefusal, WhatIsGoneIsNotFound) {
  for (const Step step : {Step::kOpenProcess, Step::kKnowProcess, Step::kTakeDescriptor}) {
    const Error error = refusal(step, ESRCH);
    EXPECT_EQ(error.code, ErrorCode::kNotFound);
    EXPECT_THAT(error.message(), HasSubstr("pid 3985 has ended"));
  }
  const Error closed = refusal(Step::kTakeDescriptor, EBADF);
  EXPECT_EQ(closed.code, ErrorCode::kNotFound);
  EXPECT_THAT(closed.message(), HasSubstr("has closed descriptor 6"));
}

TEST(ListenRefusal, AnotherSocketIsNamedAsSuch) {
  const Error other =
      to_error({.step = Step::kVerify, .difference = Difference::kSocket}, kHolder, {});
  EXPECT_EQ(other.code, ErrorCode::kInterrupted);
  EXPECT_THAT(other.message(), HasSubstr("another socket"));
  EXPECT_THAT(refusal(Step::kVerify, ENOTSOCK).message(), HasSubstr("no socket by now"));
}

TEST(ListenRefusal, AChildThatHungIsGivenUp) {
  const Error before = to_error({.step = Step::kTakeDescriptor, .hung = true}, kHolder, {});
  EXPECT_THAT(before.message(), HasSubstr("does not answer"));
  const Error after = to_error({.step = Step::kListen, .hung = true}, kHolder, {});
  EXPECT_THAT(after.message(), HasSubstr("listen() did not return"));
}

}  // namespace
}  // namespace acceptq::apply
