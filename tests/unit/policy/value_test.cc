#include "policy/value.h"

#include <gtest/gtest.h>

#include <vector>

#include "policy/printer.h"

namespace palyra::policy {
namespace {

std::vector<Value> OneOfEachKind() {
  return {Value::Bool(false),
          Value::Long(0),
          Value::String(""),
          Value::Entity(EntityUid("A", "")),
          Value::Set({}),
          Value::Record({}),
          Value::Ip(*IpAddress::Parse("0.0.0.0"))};
}

TEST(Value, KindsAreNeverEqual) {
  const std::vector<Value> values = OneOfEachKind();
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t j = 0; j < values.size(); ++j) {
      EXPECT_EQ(values[i] == values[j], i == j) << i << ' ' << j;
      EXPECT_EQ((values[i] <=> values[j]) < 0, i < j) << i << ' ' << j;
    }
  }
}

TEST(Value, SetsForgetOrderAndRepetition) {
  const auto set = [](const std::vector<int64_t>& numbers) {
    std::vector<Value> values;
    for (const int64_t number : numbers) {
      values.push_back(Value::Long(number));
    }
    return Value::Set(values);
  };
  EXPECT_EQ(set({1, 2, 3}), set({3, 1, 2, 2, 1}));
  EXPECT_NE(set({1, 2}), set({1, 2, 3}));
  EXPECT_EQ(set({5, 5, 5}).AsSet()->elements().size(), 1U);
  EXPECT_EQ(Value::Set({set({1, 2}), set({2, 1})}).AsSet()->elements().size(), 1U);
}

TEST(Value, RecordsForgetOrderAndFindByKey) {
  const Value a = Value::Record({{"b", Value::Long(2)}, {"a", Value::Long(1)}});
  const Value b = Value::Record({{"a", Value::Long(1)}, {"b", Value::Long(2)}});
  EXPECT_EQ(a, b);
  EXPECT_EQ(*a.AsRecord()->Find("b"), Value::Long(2));
  EXPECT_EQ(a.AsRecord()->Find("c"), nullptr);
  EXPECT_EQ(a.AsRecord()->Find(""), nullptr);
  EXPECT_NE(a, Value::Record({{"a", Value::Long(1)}}));
}

TEST(Value, SetsOfManyKnowTheirMembers) {
  std::vector<Value> even;
  for (int64_t i = 0; i < 10000; ++i) {
    even.push_back(Value::Long((i * 7919 % 10000) * 2));
  }
  const Value set = Value::Set(even);
  ASSERT_EQ(set.AsSet()->elements().size(), 10000U);
  for (int64_t i = 0; i < 20000; ++i) {
    ASSERT_EQ(set.AsSet()->Contains(Value::Long(i)), i % 2 == 0) << i;
  }
}

TEST(Value, HeightCountsNesting) {
  EXPECT_EQ(Value::Long(1).height(), 1);
  EXPECT_EQ(Value::Set({}).height(), 1);
  EXPECT_EQ(Value::Set({Value::Record({{"a", Value::Set({Value::Long(1)})}})}).height(), 4);
}

TEST(EntityUid, IsItsTypeAndItsId) {
  EXPECT_EQ(EntityUid("A::B", "c"), EntityUid("A::B", "c"));
  EXPECT_EQ(EntityUid("A::B", "c").hash(), EntityUid("A::B", "c").hash());
  EXPECT_NE(EntityUid("A", "B::c"), EntityUid("A::B", "c"));
  EXPECT_LT(EntityUid("A", "b"), EntityUid("A", "c"));
  EXPECT_LT(EntityUid("A", "z"), EntityUid("B", "a"));
}

}  // namespace
}  // namespace palyra::policy
