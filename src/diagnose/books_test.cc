#include "diagnose/books.h"

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

// "NETNS: COUNTER kernel/attributed/remainder …" of every book.
std::string shown(const std::vector<NamespaceBook>& books) {
  std::string text;
  for (const NamespaceBook& book : books) {
    text += (book.netns == kPod ? "pod:" : "host:");
    for (const BookLine& line : book.lines) {
      text += " " + line.counter + " " + std::to_string(line.kernel) + "/" +
              std::to_string(line.attributed) + "/" + std::to_string(line.remainder());
    }
    text += "\n";
  }
  return text;
}

// Two listeners of a pod whose ledgers hold 7 and 3 refused packets, of 12 that were counted.
facts::Observation refused_ten_of_twelve() {
  facts::Observation observation = observe(
      {make_listener(80, 6, 5, 0), make_listener(81, 6, 5, 0)},
      make_namespace(kPod, 128, {{"TcpExtListenDrops", 100}, {"TcpExtListenOverflows", 50}}),
      {make_listener(80, 6, 5, 7), make_listener(81, 6, 5, 3)},
      make_namespace(kPod, 128, {{"TcpExtListenDrops", 112}, {"TcpExtListenOverflows", 59}}));
  observation.tracing = facts::Source::kFunctions;
  observation.ledgers = {make_ledger(observation.after.listeners[0], 5, 2),
                         make_ledger(observation.after.listeners[1], 3, 0)};
  return observation;
}

TEST(Books, SayWhatRemainsOfACounter) {
  const facts::Observation observation = refused_ten_of_twelve();
  const Report report = report_of(observation);
  EXPECT_EQ(shown(report.books), "pod: TcpExtListenDrops 12/10/2 TcpExtListenOverflows 9/10/-1\n");
  ASSERT_NE(book_of(report, kPod), nullptr);
  EXPECT_EQ(book_of(report, kPod)->lines.size(), 2U);
  EXPECT_EQ(book_of(report, kHost), nullptr);
}

TEST(Books, OfANamespaceThatIsNewBeginAtZero) {
  facts::Observation observation = refused_ten_of_twelve();
  std::erase_if(observation.before.namespaces, [](const auto& ns) { return ns.id == kPod; });
  EXPECT_EQ(shown(balance_books(observation.ledgers, observation.before, observation.after)),
            "pod: TcpExtListenDrops 112/10/102 TcpExtListenOverflows 59/10/49\n");
  std::erase_if(observation.after.namespaces, [](const auto& ns) { return ns.id == kPod; });
  EXPECT_EQ(shown(balance_books(observation.ledgers, observation.before, observation.after)), "");
}

// Packets show what got no answer, and not what the kernel did with it.
TEST(Books, AreNotKeptOfPackets) {
  facts::Observation observation = refused_ten_of_twelve();
  for (facts::Ledger& ledger : observation.ledgers) ledger.source = facts::Source::kPackets;
  EXPECT_TRUE(balance_books(observation.ledgers, observation.before, observation.after).empty());
}

// A proxy's listener that is reached by another port than its own.
TEST(Books, HaveALineForRefusalsThatNoLedgerHas) {
  facts::Observation observation = refused_ten_of_twelve();
  std::vector<NamespaceBook> books;
  add_unattributed(observation.before, observation.after, books);
  EXPECT_EQ(shown(books), "pod: TcpExtListenDrops 12/0/12 TcpExtListenOverflows 9/0/9\n");
  add_unattributed(observation.before, observation.after, books);
  EXPECT_EQ(books.size(), 1U);
}

}  // namespace
}  // namespace acceptq::diagnose
