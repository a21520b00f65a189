#include "collect/packets/handshake_filter.h"

#include <netinet/in.h>

namespace acceptq::collect::packets {
namespace {

constexpr std::uint32_t kSynOrRst = 0x06;
constexpr std::uint32_t kAck = 0x10;
// Enough of a packet for an IPv4 header with options and the fixed part of a TCP header.
constexpr std::uint32_t kSnap = 80;

class Program {
 public:
  void load_8(std::uint32_t at) { add(BPF_LD | BPF_B | BPF_ABS, at); }
  void load_16(std::uint32_t at) { add(BPF_LD | BPF_H | BPF_ABS, at); }
  void load_8_of_segment(std::uint32_t at) { add(BPF_LD | BPF_B | BPF_IND, at); }
  void load_16_of_segment(std::uint32_t at) { add(BPF_LD | BPF_H | BPF_IND, at); }
  void add(std::uint32_t code, std::uint32_t k) {
    filter_.push_back(BPF_STMT(static_cast<std::uint16_t>(code), k));
  }
  void jump(std::uint32_t code, std::uint32_t k, std::size_t if_true, std::size_t if_false) {
    filter_.push_back(BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | code | BPF_K), k,
                               static_cast<std::uint8_t>(if_true),
                               static_cast<std::uint8_t>(if_false)));
  }
  void ret(std::uint32_t bytes) { add(BPF_RET | BPF_K, bytes); }
  // Passes the packet if the accumulator is one of the ports.
  void accept_any_of(std::span<const std::uint16_t> ports) {
    for (const std::uint16_t port : ports) {
      jump(BPF_JEQ, port, 0, 1);
      ret(kSnap);
    }
  }
  [[nodiscard]] std::vector<sock_filter> take() { return std::move(filter_); }
  [[nodiscard]] std::size_t size() const { return filter_.size(); }

 private:
  std::vector<sock_filter> filter_;
};

// The part behind the IP header, whose length is in X. M[0] is the length of the TCP segment.
void add_segment_tests(std::span<const std::uint16_t> ports, Program& program) {
  program.load_8_of_segment(13);
  const std::size_t ack_part = ports.empty() ? 1 : ports.size() * 4 + 3;
  // SYN or RST: by either port. Jumps reach 255 instructions, which kMostPorts keeps to.
  program.jump(BPF_JSET, kSynOrRst, 0, ack_part);
  if (ports.empty()) {
    program.ret(kSnap);
  } else {
    program.load_16_of_segment(0);
    program.accept_any_of(ports);
    program.load_16_of_segment(2);
    program.accept_any_of(ports);
    program.ret(0);
  }
  // A bare ACK to one of the ports: the segment is its header.
  program.jump(BPF_JSET, kAck, 1, 0);
  program.ret(0);
  program.load_8_of_segment(12);
  program.add(BPF_ALU | BPF_RSH | BPF_K, 4);
  program.add(BPF_ALU | BPF_LSH | BPF_K, 2);
  program.add(BPF_MISC | BPF_TAX, 0);  // X: the TCP header's length; the packet's is in M[1]
  program.add(BPF_LD | BPF_MEM, 0);
  program.add(BPF_ALU | BPF_SUB | BPF_X, 0);
  program.jump(BPF_JEQ, 0, 1, 0);
  program.ret(0);
  program.add(BPF_LDX | BPF_MEM, 1);
  if (ports.empty()) {
    program.ret(kSnap);
  } else {
    program.load_16_of_segment(2);
    program.accept_any_of(ports);
    program.ret(0);
  }
}

Program v4_part(std::span<const std::uint16_t> ports) {
  Program program;
  program.load_8(9);
  program.jump(BPF_JEQ, IPPROTO_TCP, 1, 0);
  program.ret(0);
  program.load_16(6);
  program.jump(BPF_JSET, 0x3fff, 0, 1);  // a fragment
  program.ret(0);
  program.add(BPF_LDX | BPF_B | BPF_MSH, 0);
  program.add(BPF_STX, 1);
  program.load_16(2);
  program.add(BPF_ALU | BPF_SUB | BPF_X, 0);
  program.add(BPF_ST, 0);
  add_segment_tests(ports, program);
  return program;
}

Program v6_part(std::span<const std::uint16_t> ports) {
  constexpr std::uint32_t kHeader = 40;
  Program program;
  program.load_8(6);
  program.jump(BPF_JEQ, IPPROTO_TCP, 1, 0);
  program.ret(0);
  program.add(BPF_LDX | BPF_IMM, kHeader);
  program.add(BPF_STX, 1);
  program.load_16(4);
  program.add(BPF_ST, 0);
  add_segment_tests(ports, program);
  return program;
}

}  // namespace

std::vector<sock_filter> handshake_filter(std::span<const std::uint16_t> ports) {
  if (ports.size() > kMostPorts) ports = {};
  Program v4 = v4_part(ports);
  Program v6 = v6_part(ports);
  Program program;
  program.load_8(0);
  program.add(BPF_ALU | BPF_RSH | BPF_K, 4);
  program.jump(BPF_JEQ, 4, 0, 1);
  program.add(BPF_JMP | BPF_JA, 3);  // over what follows, to IPv4: too far for a conditional jump
  program.jump(BPF_JEQ, 6, 1, 0);
  program.ret(0);
  program.add(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(v4.size()));
  std::vector<sock_filter> filter = program.take();
  for (Program* part : {&v4, &v6}) {
    const std::vector<sock_filter> instructions = part->take();
    filter.insert(filter.end(), instructions.begin(), instructions.end());
  }
  return filter;
}

}  // namespace acceptq::collect::packets
