// Cedar values. Immutable and cheap to copy: strings, entity ids, sets and records are shared.

#ifndef PALYRA_POLICY_VALUE_H_
#define PALYRA_POLICY_VALUE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "policy/datetime.h"
#include "policy/decimal.h"
#include "policy/duration.h"
#include "policy/ip.h"

namespace palyra::policy {

// An entity's name: Palyra::Agent::"bot" has type "Palyra::Agent" and id "bot".
class EntityUid {
 public:
  EntityUid(std::string type, std::string id);

  [[nodiscard]] const std::string& type() const { return data_->type; }
  [[nodiscard]] const std::string& id() const { return data_->id; }
  [[nodiscard]] size_t hash() const { return data_->hash; }

  bool operator==(const EntityUid& other) const {
    return data_ == other.data_ || (hash() == other.hash() && HasNameOf(other));
  }
  std::strong_ordering operator<=>(const EntityUid& other) const;  // By type, then id.

 private:
  struct Data {
    size_t hash;  // First, beside the count of references: most comparisons end here.
    std::string id;
    std::string type;
  };
  [[nodiscard]] bool HasNameOf(const EntityUid& other) const;

  std::shared_ptr<const Data> data_;
};

class SetValue;
class RecordValue;

enum class ValueKind : uint8_t {
  kBool,
  kLong,
  kString,
  kEntity,
  kSet,
  kRecord,
  kIp,
  kDecimal,
  kDatetime,
  kDuration,
};

// "bool", "long", "string", "entity", "set", "record", "ipaddr", "decimal", "datetime", "duration":
// for messages.
std::string_view KindName(ValueKind kind);

class Value {
 public:
  static Value Bool(bool value);
  static Value Long(int64_t value);
  static Value String(std::string value);  // UTF-8.
  static Value Entity(EntityUid uid);
  static Value Ip(const IpAddress& ip);
  static Value Of(Decimal decimal);
  static Value Of(Datetime datetime);
  static Value Of(Duration duration);
  // Elements in any order, equal ones once.
  static Value Set(std::vector<Value> elements);
  // Fields in any order. Callers see to it that keys are unique.
  static Value Record(std::vector<std::pair<std::string, Value>> fields);

  [[nodiscard]] ValueKind kind() const { return static_cast<ValueKind>(data_.index()); }

  // Null where the value is of another kind. Valid as long as this value or a copy of it lives.
  [[nodiscard]] const bool* AsBool() const { return std::get_if<bool>(&data_); }
  [[nodiscard]] const int64_t* AsLong() const { return std::get_if<int64_t>(&data_); }
  [[nodiscard]] const std::string* AsString() const;
  [[nodiscard]] const EntityUid* AsEntity() const { return std::get_if<EntityUid>(&data_); }
  [[nodiscard]] const SetValue* AsSet() const;
  [[nodiscard]] const RecordValue* AsRecord() const;
  [[nodiscard]] const IpAddress* AsIp() const { return std::get_if<IpAddress>(&data_); }
  [[nodiscard]] const Decimal* AsDecimal() const { return std::get_if<Decimal>(&data_); }
  [[nodiscard]] const Datetime* AsDatetime() const { return std::get_if<Datetime>(&data_); }
  [[nodiscard]] const Duration* AsDuration() const { return std::get_if<Duration>(&data_); }

  // Nesting: 1, or 1 + the deepest element of a set or record.
  [[nodiscard]] int height() const;

  // Cedar's ==: total, false across kinds, structural.
  bool operator==(const Value& other) const;
  // A total order that agrees with ==; by kind first. It has no meaning in Cedar.
  std::strong_ordering operator<=>(const Value& other) const;

 private:
  using Data = std::variant<bool, int64_t, std::shared_ptr<const std::string>, EntityUid,
                            std::shared_ptr<const SetValue>, std::shared_ptr<const RecordValue>,
                            IpAddress, Decimal, Datetime, Duration>;
  explicit Value(Data data) : data_(std::move(data)) {}

  Data data_;
};

// Elements sorted and unique, so that membership is a binary search.
class SetValue {
 public:
  explicit SetValue(std::vector<Value> elements);

  [[nodiscard]] const std::vector<Value>& elements() const { return elements_; }
  [[nodiscard]] bool Contains(const Value& value) const;
  [[nodiscard]] int height() const { return height_; }

 private:
  std::vector<Value> elements_;
  int height_ = 1;
};

// Fields sorted by key, keys unique.
class RecordValue {
 public:
  using Field = std::pair<std::string, Value>;

  RecordValue() = default;
  explicit RecordValue(std::vector<Field> fields);

  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  [[nodiscard]] const Value* Find(std::string_view key) const;  // Null where there is none.
  [[nodiscard]] int height() const { return height_; }

  bool operator==(const RecordValue& other) const { return fields_ == other.fields_; }

 private:
  std::vector<Field> fields_;
  int height_ = 1;
};

}  // namespace palyra::policy

// Not noexcept, so that libstdc++'s tables keep the hashes in their nodes instead of asking the
// uids of a whole bucket.
template <>
struct std::hash<palyra::policy::EntityUid> {
  size_t operator()(const palyra::policy::EntityUid& uid) const { return uid.hash(); }
};

#endif  // PALYRA_POLICY_VALUE_H_
