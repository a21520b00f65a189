#include "collect/bpf/load_failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace acceptq::collect::bpf {
namespace {

using testing::HasSubstr;

// A host on which the program should have loaded.
LoadFailure on_a_good_host(int err) {
  return {
      .err = err, .capable = true, .has_btf = true, .has_iterator = true, .has_file_helper = true};
}

TEST(ExplainLoadFailure, TellsTheReasonsApart) {
  LoadFailure unprivileged = on_a_good_host(EPERM);
  unprivileged.capable = false;
  LoadFailure locked = on_a_good_host(EINVAL);
  locked.confidential = true;
  LoadFailure without_btf = on_a_good_host(ESRCH);
  without_btf.has_btf = without_btf.has_iterator = without_btf.has_file_helper = false;
  LoadFailure linux_4_19 = on_a_good_host(EINVAL);
  linux_4_19.has_iterator = linux_4_19.has_file_helper = false;
  LoadFailure linux_5_10 = on_a_good_host(EINVAL);
  linux_5_10.has_file_helper = false;
  LoadFailure refused = on_a_good_host(EACCES);
  refused.log = "R1 type=ptr_ expected=sock\nprocessed 746 insns\n";
  LoadFailure hooks_shut = on_a_good_host(EPERM);
  hooks_shut.programs = Programs::kHandshakeHooks;
  hooks_shut.kprobe_err = ENOENT;
  const struct {
    LoadFailure failure;
    ErrorCode code;
    const char* says;
  } cases[] = {
      {unprivileged, ErrorCode::kPermission, "CAP_BPF and CAP_PERFMON"},
      {locked, ErrorCode::kPermission, "lockdown"},
      {on_a_good_host(EPERM), ErrorCode::kPermission, "seccomp"},
      {without_btf, ErrorCode::kUnsupported, "BTF"},
      {linux_4_19, ErrorCode::kUnsupported, "no iterator over open files"},
      {linux_5_10, ErrorCode::kUnsupported, "no bpf_sock_from_file"},
      {hooks_shut, ErrorCode::kUnsupported, "kprobes (No such file"},
      {refused, ErrorCode::kUnsupported, "(R1 type=ptr_ expected=sock)"},
  };
  for (const auto& test : cases) {
    const Error error = explain_load_failure(test.failure);
    EXPECT_EQ(error.code, test.code) << error.message();
    // Where there are two, both are in the text; without BTF it is libbpf's, which says nothing.
    const bool one = test.failure.kprobe_err == 0 && test.failure.has_btf;
    EXPECT_EQ(error.sys_errno, one ? test.failure.err : 0);
    EXPECT_THAT(error.context, HasSubstr(test.says));
  }
}

TEST(TellingLine, IsTheVerifiersLastComplaint) {
  EXPECT_EQ(telling_line(""), "");
  EXPECT_EQ(telling_line("\n\n"), "");
  EXPECT_EQ(telling_line("libbpf: failed to find valid kernel BTF\nlibbpf: -3\n"),
            "libbpf: failed to find valid kernel BTF");
  EXPECT_EQ(telling_line("libbpf: prog 'x': BPF program load failed: Invalid argument\n"
                         "libbpf: prog 'x': -- BEGIN PROG LOAD LOG --\n"
                         "0: (bf) r6 = r1\n"
                         "unknown func bpf_get_socket_cookie#46\n"
                         "processed 1 insns (limit 1000000)\n"
                         "-- END PROG LOAD LOG --\n"
                         "unknown func bpf_sock_from_file#162\n"
                         "processed 2 insns (limit 1000000)\n"
                         "-- END PROG LOAD LOG --\n"),
            "unknown func bpf_sock_from_file#162");
  EXPECT_EQ(telling_line("processed 0 insns\n"), "processed 0 insns");
}

TEST(IsConfidential, KnowsTheModeThatForbidsReading) {
  EXPECT_TRUE(is_confidential("none integrity [confidentiality]\n"));
  EXPECT_FALSE(is_confidential("none [integrity] confidentiality\n"));
  EXPECT_FALSE(is_confidential("[none] integrity confidentiality\n"));
  EXPECT_FALSE(is_confidential(""));
}

TEST(ExamineLoadFailure, KeepsWhatItWasTold) {
  const LoadFailure failure = examine_load_failure(EINVAL, "words", nullptr);
  EXPECT_EQ(failure.err, EINVAL);
  EXPECT_EQ(failure.log, "words");
  EXPECT_FALSE(failure.has_btf);
}

}  // namespace
}  // namespace acceptq::collect::bpf
