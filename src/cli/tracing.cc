#include "cli/tracing.h"

#include <sys/utsname.h>

#include "listenpath/kernel.h"

namespace acceptq::cli {

collect::bpf::TraceOptions trace_options(collect::bpf::TraceLevel level) {
  utsname name{};
  ::uname(&name);
  const listenpath::KernelRules rules =
      listenpath::rules_for(static_cast<const char*>(name.release));
  return {.syn_queue_holds_one_more = rules.syn_queue != listenpath::SynQueueRule::kAtLimit,
          .level = level};
}

}  // namespace acceptq::cli
