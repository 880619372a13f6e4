#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "policy/compile/atom.h"
#include "policy/compile/endpoint.h"
#include "policy/compile/residual_walk.h"
#include "policy/extension.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

constexpr std::string_view kWriteAddress =
    "write resource.address.isInRange(ip(\"192.0.2.0/24\")) or another condition on the address";

bool IsAddress(const Expr& expr) {
  const auto* get = std::get_if<GetAttr>(&expr.node);
  return get != nullptr && IsResource(*get->object) && get->attr == kAddressAttr;
}

class Collector {
 public:
  void Walk(const Expr& expr) {
    if (const Value* value = ConstantOf(expr)) {
      Note(*value, expr.span);
      return;
    }
    if (IsResource(expr)) {
      RefuseName(expr);
      return;
    }
    if (std::visit([&](const auto& node) { return Enter(expr, node); }, expr.node)) {
      for (const ExprPtr& child : ChildrenOf(expr)) {
        Walk(*child);
      }
    }
  }

  Footprint Take() { return std::move(footprint_); }

 private:
  Footprint footprint_;

  void Refuse(std::string code, const Expr& expr, std::string message, std::string_view hint) {
    if (!footprint_.obstacle) {
      footprint_.obstacle = Finding{.code = std::move(code),
                                    .span = expr.span,
                                    .message = std::move(message),
                                    .hint = std::string(hint)};
    }
  }

  void RefuseName(const Expr& expr) {
    Refuse("LOW-UID", expr, Quoted(expr) + " asks for the endpoint's name, which no event has",
           "compare resource.address, resource.port, resource.protocol and resource.domain");
  }

  void RefuseTags(const Expr& expr) {
    Refuse("LOW-TAG", expr, Quoted(expr) + " asks for a tag, and endpoints have none",
           "compare resource.address, resource.port and resource.protocol");
  }

  void RefuseChoice(const Expr& expr) {
    Refuse("LOW-DEREF", expr,
           Quoted(expr) + " asks for data of an entity that depends on the endpoint",
           "take the condition on the endpoint out: if CONDITION then A.x == 1 else B.x == 1");
  }

  void Note(const Value& value, Span span) {
    if (const int64_t* number = value.AsLong()) {
      footprint_.numbers.push_back(*number);
    } else if (const IpAddress* ip = value.AsIp()) {
      footprint_.addresses.push_back(*ip);
      NoteMapped(*ip, span);
    } else if (const SetValue* set = value.AsSet()) {
      for (const Value& element : set->elements()) {
        Note(element, span);
      }
    } else if (const RecordValue* record = value.AsRecord()) {
      for (const auto& field : record->fields()) {
        Note(field.second, span);
      }
    }
  }

  void NoteMapped(const IpAddress& ip, Span span) {
    if (ip.is_ipv6() && ip.prefix_length() >= 96 && IsIpv4Point(AddressPoint(true, ip.bytes()))) {
      footprint_.oddities.push_back(
          {.code = "LOW-CASE",
           .span = span,
           .message = "no address is ever in " + ip.ToString() +
                      ": IPv4-mapped IPv6 has become IPv4 before policies are asked",
           .hint = "write the IPv4 address"});
    }
  }

  void NoteShortPrefix(const Expr& expr, const Binary& node) {
    const Value* value = IsAddress(*node.left)    ? ConstantOf(*node.right)
                         : IsAddress(*node.right) ? ConstantOf(*node.left)
                                                  : nullptr;
    const IpAddress* ip = value == nullptr ? nullptr : value->AsIp();
    if (ip != nullptr && ip->prefix_length() < ip->max_prefix_length()) {
      footprint_.oddities.push_back(
          {.code = "LOW-PFX",
           .span = expr.span,
           .message = "no address equals the range " + ip->ToString(),
           .hint = "write resource.address.isInRange(ip(\"" + ip->ToString() + "\"))"});
    }
  }

  // Each returns whether to look at the children.
  static bool Enter(const Expr& /*expr*/, const Literal& /*node*/) { return false; }
  static bool Enter(const Expr& /*expr*/, const VariableRef& /*node*/) { return false; }
  static bool Enter(const Expr& /*expr*/, const ErrorNode& /*node*/) { return false; }
  static bool Enter(const Expr& /*expr*/, const And& /*node*/) { return true; }
  static bool Enter(const Expr& /*expr*/, const Or& /*node*/) { return true; }
  static bool Enter(const Expr& /*expr*/, const If& /*node*/) { return true; }
  static bool Enter(const Expr& /*expr*/, const Like& /*node*/) { return true; }
  static bool Enter(const Expr& /*expr*/, const Is& /*node*/) { return true; }
  static bool Enter(const Expr& /*expr*/, const SetLiteral& /*node*/) { return true; }
  static bool Enter(const Expr& /*expr*/, const RecordLiteral& /*node*/) { return true; }

  bool Enter(const Expr& /*expr*/, const Unary& node) {
    footprint_.calculates |= node.op == UnaryOp::kNegate;
    return true;
  }

  bool Enter(const Expr& expr, const Binary& node) {
    switch (node.op) {
      case BinaryOp::kEqual:
      case BinaryOp::kNotEqual:
        NoteShortPrefix(expr, node);
        return EnterNamed(expr, *node.left, *node.right);
      case BinaryOp::kIn:
        return EnterNamed(expr, *node.left, *node.right) && EnterData(expr, *node.left);
      case BinaryOp::kGetTag:
      case BinaryOp::kHasTag:
        if (IsResource(*node.left)) {
          RefuseTags(expr);
          return false;
        }
        if (ConstantOf(*node.right) == nullptr) {
          RefuseChoice(expr);  // Which tag: its value is a constant that is not in sight.
          return false;
        }
        return EnterData(expr, *node.left);
      case BinaryOp::kAdd:
      case BinaryOp::kSubtract:
      case BinaryOp::kMultiply:
        footprint_.calculates = true;
        return true;
      default:
        return true;
    }
  }

  bool Enter(const Expr& expr, const GetAttr& node) {
    if (!IsResource(*node.object)) {
      return EnterData(expr, *node.object);
    }
    if (node.attr == kAddressAttr) {
      footprint_.address = true;
    } else if (node.attr == kPortAttr) {
      footprint_.port = true;
    } else if (node.attr == kProtocolAttr) {
      footprint_.protocol = true;
    } else {
      Refuse("LOW-ATTR", expr, "an endpoint has no attribute " + QuoteString(node.attr),
             "its attributes are address, port, protocol and domain");
    }
    return false;
  }

  bool Enter(const Expr& expr, const HasAttr& node) { return EnterData(expr, *node.object); }

  bool Enter(const Expr& expr, const Call& node) {
    if (node.function == Function::kIp) {
      Refuse("LOW-IP", expr, Quoted(expr) + " makes an address of what only the kernel knows",
             kWriteAddress);
      return false;
    }
    footprint_.classifies |= node.function != Function::kIsInRange;
    // A number that depends on the port comes out of a constant that is no number.
    footprint_.calculates |= SignatureOf(node.function).result == ValueKind::kLong;
    return true;
  }

  // A comparison with the endpoint's name shows the whole comparison, not just `resource`.
  bool EnterNamed(const Expr& expr, const Expr& left, const Expr& right) {
    if (IsResource(left) || IsResource(right)) {
      RefuseName(expr);
      return false;
    }
    return true;
  }

  // Attributes, tags or ancestors of `object`.
  bool EnterData(const Expr& expr, const Expr& object) {
    if (IsNamedEndpoint(object)) {
      RefuseName(expr);
      return false;
    }
    if (ConstantOf(object) == nullptr && MayYieldEntity(object)) {
      RefuseChoice(expr);
      return false;
    }
    return true;
  }
};

std::string Joined(const Footprint& footprint) {
  std::string text;
  const std::array<std::pair<bool, std::string_view>, 3> parts = {
      {{footprint.address, "address"}, {footprint.port, "port"}, {footprint.protocol, "protocol"}}};
  for (const auto& [used, name] : parts) {
    if (used) {
      text += (text.empty() ? "" : " and ") + std::string(name);
    }
  }
  return text;
}

}  // namespace

Footprint FootprintOf(const Expr& residual) {
  Collector collector;
  collector.Walk(residual);
  Footprint footprint = collector.Take();
  const int parts =
      (footprint.address ? 1 : 0) + (footprint.port ? 1 : 0) + (footprint.protocol ? 1 : 0);
  if (!footprint.obstacle && parts > 1) {
    footprint.obstacle =
        Finding{.code = "LOW-REL",
                .span = residual.span,
                .message = Quoted(residual) + " relates the endpoint's " + Joined(footprint) +
                           " to each other, which no table of addresses and ports can hold",
                .hint = "write conditions on one of them each, joined by && and ||"};
  }
  return footprint;
}

}  // namespace palyra::policy
