#include "policy/compile/net_cells.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/ast_map.h"
#include "policy/compile/domain_footprint.h"
#include "policy/compile/endpoint.h"
#include "policy/compile/residual_walk.h"
#include "policy/compile/truth_map.h"
#include "policy/partial.h"

namespace palyra::policy {
namespace {

struct Constants {
  std::vector<IpAddress> addresses;
  std::vector<int64_t> numbers;
  bool calculates = false;  // The port goes through arithmetic.
};

void Collect(const Value& value, Constants& out) {
  if (const IpAddress* ip = value.AsIp()) {
    out.addresses.push_back(*ip);
  } else if (const int64_t* number = value.AsLong()) {
    out.numbers.push_back(*number);
  } else if (const SetValue* set = value.AsSet()) {
    for (const Value& element : set->elements()) {
      Collect(element, out);
    }
  } else if (const RecordValue* record = value.AsRecord()) {
    for (const auto& field : record->fields()) {
      Collect(field.second, out);
    }
  }
}

void Collect(const Expr& expr, Constants& out) {
  if (const Value* value = ConstantOf(expr)) {
    Collect(*value, out);
    return;
  }
  const auto* unary = std::get_if<Unary>(&expr.node);
  const auto* binary = std::get_if<Binary>(&expr.node);
  out.calculates =
      out.calculates || (unary != nullptr && unary->op == UnaryOp::kNegate) ||
      std::holds_alternative<Call>(expr.node) ||
      (binary != nullptr && (binary->op == BinaryOp::kAdd || binary->op == BinaryOp::kSubtract ||
                             binary->op == BinaryOp::kMultiply || binary->op == BinaryOp::kGetTag));
  for (const ExprPtr& child : ChildrenOf(expr)) {
    Collect(*child, out);
  }
}

template <typename T>
void SortUnique(std::vector<T>& values) {
  std::ranges::sort(values);
  const auto repeated = std::ranges::unique(values);
  values.erase(repeated.begin(), repeated.end());
}

// The first point of a range, and the first behind it.
void AddRange(const IpAddress& range, std::vector<Point>& points) {
  const unsigned host_bits = range.max_prefix_length() - range.prefix_length();
  const Point first = AddressPoint(range.is_ipv6(), range.Masked().bytes());
  const Point last = first + (host_bits == 128 ? ~Point{0} : (Point{1} << host_bits) - 1);
  points.push_back(first);
  if (last != kLastAddressPoint) {
    points.push_back(last + 1);
  }
}

void AddWithRanges(const IpAddress& address, std::vector<Point>& points) {
  AddRange(address, points);
  AddRange(*IpAddress::Create(address.is_ipv6(), address.bytes(), address.max_prefix_length()),
           points);
}

// What ipaddr's own predicates tell apart.
std::vector<Point> FixedPoints() {
  std::vector<Point> points = {0};
  for (const char* range : {"0.0.0.0/0", "127.0.0.0/8", "224.0.0.0/4", "::1", "ff00::/8"}) {
    AddRange(*IpAddress::Parse(range), points);
  }
  return points;
}

void AddPort(int64_t port, std::vector<int64_t>& ports) {
  for (const int64_t cut : {port, port == INT64_MAX ? port : port + 1}) {
    if (cut >= 0 && cut < static_cast<int64_t>(kPortCount)) {
      ports.push_back(cut);
    }
  }
}

// One policy for one action.
class OpenPolicy {
 public:
  struct Cell {
    Point first;
    bool is_possible;            // Not false whatever protocol and port are.
    std::vector<int64_t> ports;  // Where something changes.
  };

  OpenPolicy(const CompileInput& input, const LayerInput& layer, const PlacedPolicy& policy,
             NetAction action)
      : request_{.principal = {.uid = input.principal},
                 .action = {.uid = ActionUid(action)},
                 .resource = OpenEndpoint(*layer.entities),
                 .context = *input.context.AsRecord(),
                 .open_context = {},
                 .open_attrs = {}},
        input_(input),
        layer_(layer),
        action_(action) {
    PartialEvaluator partial(request_, *layer.entities);
    residual_ = partial.Residual(WholeCondition(policy.policy));
    asks_domain_ = AsksDomain(*residual_);
    if (!asks_domain_) {
      Cut(residual_);
    }
  }

  // From then on the cells are those of endpoints that go by this name, or by none.
  void Name(const std::optional<std::string>& domain) {
    if (asks_domain_) {
      const ExprPtr known = WithDomain(residual_, domain, *layer_.entities);
      Cut(PartialEvaluator(request_, *layer_.entities).Residual(known));
    }
  }

  [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }

 private:
  PartialRequest request_;
  const CompileInput& input_;
  const LayerInput& layer_;
  NetAction action_;
  ExprPtr residual_;
  bool asks_domain_ = false;
  std::vector<Cell> cells_;

  void Cut(const ExprPtr& residual) {
    Constants constants;
    Collect(*residual, constants);
    std::vector<Point> points = {0};
    if (!constants.addresses.empty() || ConstantOf(*residual) == nullptr) {
      points = FixedPoints();
    }
    for (const IpAddress& address : constants.addresses) {
      AddWithRanges(address, points);
    }
    SortUnique(points);
    cells_.clear();
    for (const Point point : points) {
      cells_.push_back(CellAt(point, residual));
    }
  }

  [[nodiscard]] Cell CellAt(Point point, const ExprPtr& residual) const {
    const Value address = Value::Ip(AddressAt(point));
    const ExprPtr known = MapExpr(residual, [&](const ExprPtr& part) -> ExprPtr {
      const auto* get = std::get_if<GetAttr>(&part->node);
      return get != nullptr && IsResource(*get->object) && get->attr == kAddressAttr
                 ? MakeLiteral(part->span, address)
                 : nullptr;
    });
    const ExprPtr rest = PartialEvaluator(request_, *layer_.entities).Residual(known);
    const Value* value = ConstantOf(*rest);
    Cell cell{.first = point, .is_possible = value == nullptr || *value->AsBool(), .ports = {}};
    Constants constants;
    Collect(*rest, constants);
    for (const int64_t number : constants.numbers) {
      AddPort(number, cell.ports);
    }
    if (constants.calculates) {
      AddChanges(point, *rest, cell.ports);
    }
    return cell;
  }

  // Every port is tried.
  void AddChanges(Point point, const Expr& rest, std::vector<int64_t>& ports) const {
    const IpAddress address = AddressAt(point);
    for (int protocol = 0; protocol < kProtocolCount; ++protocol) {
      int before = -1;
      for (int64_t port = 0; port < static_cast<int64_t>(kPortCount); ++port) {
        const NetEvent event = {.action = action_,
                                .protocol = static_cast<Protocol>(protocol),
                                .is_ipv6 = address.is_ipv6(),
                                .address = address.bytes(),
                                .port = static_cast<uint16_t>(port)};
        const Request request = RequestFor(input_, layer_, event);
        const EvalResult result = Evaluator(request, *layer_.entities).Evaluate(rest);
        const bool* held = result ? result->AsBool() : nullptr;
        const int now = held == nullptr ? 2 : *held ? 1 : 0;
        if (now != before) {
          ports.push_back(port);
        }
        before = now;
      }
    }
  }
};

class ActionCells {
 public:
  ActionCells(const CompileInput& input, NetAction action) : action_(action) {
    for (size_t layer = 0; layer < input.layers.size(); ++layer) {
      const PolicySet& policies = *input.layers[layer].policies;
      for (size_t i = 0; i < policies.size(); ++i) {
        policies_.push_back({.layer = layer,
                             .index = i,
                             .open = OpenPolicy(input, input.layers[layer], policies[i], action)});
      }
    }
    candidates_.resize(input.layers.size());
  }

  // What is visited from then on goes by this name, or by none.
  void Name(const std::optional<std::string>& domain) {
    domain_ = domain;
    for (Entry& entry : policies_) {
      entry.open.Name(domain);
      entry.at = 0;
    }
  }

  void AddPoints(std::vector<Point>& points) const {
    for (const Entry& entry : policies_) {
      for (const OpenPolicy::Cell& cell : entry.open.cells()) {
        points.push_back(cell.first);
      }
    }
  }

  // Points ascend from call to call.
  void Visit(Point point, const AddressClass& address_class,
             const std::function<void(const NetEvent&, const Candidates&)>& visit) {
    std::vector<int64_t> ports = {0};
    for (const PortSpan& span : address_class.spans) {
      ports.push_back(span.first);
      AddPort(span.last, ports);
    }
    for (std::vector<size_t>& layer : candidates_) {
      layer.clear();
    }
    for (Entry& entry : policies_) {
      const std::vector<OpenPolicy::Cell>& cells = entry.open.cells();
      while (entry.at + 1 < cells.size() && cells[entry.at + 1].first <= point) {
        ++entry.at;
      }
      const OpenPolicy::Cell& cell = cells[entry.at];
      if (cell.is_possible) {
        candidates_[entry.layer].push_back(entry.index);
        ports.insert(ports.end(), cell.ports.begin(), cell.ports.end());
      }
    }
    SortUnique(ports);
    const IpAddress address = AddressAt(point);
    for (int i = 0; i < kProtocolCount; ++i) {
      const auto protocol = static_cast<Protocol>(i);
      const bool is_icmp = protocol == Protocol::kIcmp || protocol == Protocol::kIcmpv6;
      for (const int64_t port : ports) {
        if (port == 0 || !is_icmp) {
          visit({.action = action_,
                 .protocol = protocol,
                 .is_ipv6 = address.is_ipv6(),
                 .address = address.bytes(),
                 .port = static_cast<uint16_t>(port),
                 .domain = domain_},
                candidates_);
        }
      }
    }
  }

 private:
  struct Entry {
    size_t layer;
    size_t index;
    OpenPolicy open;
    size_t at = 0;  // The cell of the last point.
  };

  NetAction action_;
  std::optional<std::string> domain_;
  std::vector<Entry> policies_;
  Candidates candidates_;
};

}  // namespace

void ForEachNetCell(const CompileInput& input, const RuleSet& rules,
                    std::span<const std::optional<std::string>> domains,
                    const std::function<void(const NetEvent&, const Candidates&)>& visit) {
  std::vector<ActionCells> actions;
  actions.reserve(kNetActionCount);
  for (int i = 0; i < kNetActionCount; ++i) {
    actions.emplace_back(input, static_cast<NetAction>(i));
  }
  for (const std::optional<std::string>& domain : domains) {
    const NetTablesView tables = TablesFor(rules, domain);
    std::vector<Point> points = FixedPoints();
    for (ActionCells& action : actions) {
      action.Name(domain);
      action.AddPoints(points);
    }
    for (const AddressPrefix& prefix : tables.prefixes) {
      AddRange(*IpAddress::Create(prefix.is_ipv6, prefix.bytes, prefix.length), points);
    }
    SortUnique(points);
    for (const Point point : points) {
      const IpAddress address = AddressAt(point);
      const AddressClass& address_class =
          tables.classes[ClassOf(tables, address.is_ipv6(), address.bytes())];
      for (ActionCells& action : actions) {
        action.Visit(point, address_class, visit);
      }
    }
  }
}

}  // namespace palyra::policy
