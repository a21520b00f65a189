#include "ledger_fixture.h"

#include <sys/utsname.h>

#include "listenpath/kernel.h"

namespace acceptq::test {
namespace {

using collect::bpf::TraceLevel;

std::map<How, Result<HandshakeTracer>>& tracers() {
  static std::map<How, Result<HandshakeTracer>> all;
  return all;
}

}  // namespace

std::string name_of(const std::tuple<How, IpVersion>& parameters) {
  constexpr const char* kNames[] = {"fentry", "kprobe", "tracepoint"};
  return std::string(kNames[static_cast<int>(std::get<0>(parameters))]) +
         (std::get<1>(parameters) == IpVersion::kV4 ? "_v4" : "_v6");
}

std::string release() {
  utsname name{};
  ::uname(&name);
  return static_cast<const char*>(name.release);
}

Result<HandshakeTracer>& tracer_by(How how) {
  const auto it = tracers().find(how);
  if (it != tracers().end()) return it->second;
  constexpr TraceLevel kLevels[] = {TraceLevel::kFunctions, TraceLevel::kKprobes,
                                    TraceLevel::kTracepoints};
  collect::bpf::TraceOptions options{.events_per_second = 1'000'000,
                                     .level = kLevels[static_cast<int>(how)]};
  options.syn_queue_holds_one_more =
      listenpath::rules_for(release()).syn_queue == listenpath::SynQueueRule::kAboveLimit;
  return tracers().emplace(how, HandshakeTracer::Create(options)).first->second;
}

void forget_tracer(How how) { tracers().erase(how); }

void forget_other_tracers(How how) {
  std::erase_if(tracers(), [how](const auto& entry) { return entry.first != how; });
}

}  // namespace acceptq::test
