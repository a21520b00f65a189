#include "import/places.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace acceptq::imports {
namespace {

constexpr std::string_view kContainer = "container ";

// Names of one place, in groups.
class Names {
 public:
  void join(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      parents_.try_emplace(name, name);
      if (name != names.front()) parents_[root_of(name)] = root_of(names.front());
    }
  }

  // After the last join().
  void settle() {
    std::map<std::string, const std::string*> best;
    for (const auto& [name, parent] : parents_) {
      const std::string*& one = best.try_emplace(root_of(name), &name).first->second;
      if (rank(name) > rank(*one)) one = &name;
    }
    for (const auto& [name, parent] : parents_) shown_[name] = *best.at(root_of(name));
  }

  // The name to show for `name`: of a pod with its namespace, else of a pod, else of a container.
  [[nodiscard]] const std::string& shown(const std::string& name) const {
    const auto found = shown_.find(name);
    return found != shown_.end() ? found->second : name;
  }

 private:
  static int rank(std::string_view name) {
    if (name.starts_with("pod ")) return name.find('/') != std::string_view::npos ? 4 : 3;
    if (!name.starts_with(kContainer)) return 1;
    // Its name tells more than its id.
    return name.substr(kContainer.size()).find_first_not_of("0123456789abcdef") ==
                   std::string_view::npos
               ? 2
               : 3;
  }

  [[nodiscard]] std::string root_of(const std::string& name) {
    std::string root = name;
    while (parents_.at(root) != root) root = parents_.at(root);
    // The way there is short next time.
    for (std::string at = name; at != root;) at = std::exchange(parents_.at(at), root);
    return root;
  }

  std::map<std::string, std::string> parents_;
  std::map<std::string, std::string> shown_;
};

class Joining {
 public:
  explicit Joining(std::vector<Source>& sources) : sources_(sources) {
    for (Source& source : sources_) {
      for (Block& block : source.recognised.blocks) {
        if (auto* descriptions = std::get_if<Descriptions>(&block.piece)) {
          for (Description& one : descriptions->all) described_.push_back(&one);
        } else {
          run_.insert(block.context);
        }
      }
    }
  }

  void run() {
    lengthen_ids();
    drop_shared_names();
    for (const Description* one : described_) names_.join(one->names);
    names_.settle();
    for (const std::string& context : run_) shown_run_.insert(names_.shown(context));
    std::set<std::string> places;
    for (const Description* one : described_) places.insert(names_.shown(one->names.front()));
    is_one_ = places.size() == 1;
    for (Source& source : sources_) {
      std::vector<Block> blocks;
      for (Block& block : source.recognised.blocks) {
        if (auto* descriptions = std::get_if<Descriptions>(&block.piece)) {
          for (Description& one : descriptions->all) spread(block, one, blocks);
        } else {
          block.context = names_.shown(block.context);
          blocks.push_back(std::move(block));
        }
      }
      source.recognised.blocks = std::move(blocks);
    }
  }

 private:
  // "container 49b4135534da" is the one whose id begins so.
  void lengthen_ids() {
    std::set<std::string> ids;
    for (const Description* one : described_) {
      for (const std::string& name : one->names) {
        if (name.starts_with(kContainer)) ids.insert(name);
      }
    }
    const auto lengthen = [&](const std::string& name) {
      constexpr std::size_t kShortest = kContainer.size() + 10;
      if (!name.starts_with(kContainer) || name.size() < kShortest) return name;
      const auto longer = ids.upper_bound(name);
      return longer != ids.end() && longer->starts_with(name) ? *longer : name;
    };
    for (Description* one : described_) {
      for (std::string& name : one->names) name = lengthen(name);
    }
    for (Source& source : sources_) {
      for (Block& block : source.recognised.blocks) block.context = lengthen(block.context);
    }
    std::set<std::string> run;
    for (const std::string& context : run_) run.insert(lengthen(context));
    run_ = std::move(run);
  }

  // Pods of two namespaces can have one name, processes of two hosts one pid.
  void drop_shared_names() {
    const auto is_own = [](std::string_view name) {
      return (name.starts_with("pod ") && name.find('/') != std::string_view::npos) ||
             name.starts_with(kContainer);
    };
    std::map<std::string, std::set<std::string>> of;  // a name that may be shared, and whose it is
    for (const Description* one : described_) {
      for (const std::string& name : one->names) {
        if (!is_own(name)) of[name].insert(one->names.front());
      }
    }
    for (Description* one : described_) {
      std::erase_if(one->names, [&](const std::string& name) {
        const auto found = of.find(name);
        return one->names.front() != name && found != of.end() && found->second.size() > 1;
      });
    }
  }

  void spread(const Block& at, Description& one, std::vector<Block>& blocks) {
    const std::string context = names_.shown(one.names.front());
    const bool is_run = shown_run_.contains(context);
    // Of several that nothing was run in, none is the one that the ticket is about.
    if (!is_run && !is_one_) return;
    const auto add = [&](Piece piece) {
      blocks.push_back({.context = context,
                        .moment = at.moment,
                        .line = at.line,
                        .command = at.command,
                        .piece = std::move(piece)});
    };
    if (!one.values.empty()) add(Settings{std::move(one.values)});
    if (!one.addresses.empty()) add(Addresses{std::move(one.addresses)});
    for (Remark& remark : one.remarks) add(std::move(remark));
  }

  std::vector<Source>& sources_;
  std::vector<Description*> described_;
  std::set<std::string> run_;        // in which something was run
  std::set<std::string> shown_run_;  // the same, by the names to show
  Names names_;
  bool is_one_ = false;  // one place is described
};

}  // namespace

void join_places(std::vector<Source>& sources) { Joining(sources).run(); }

}  // namespace acceptq::imports
