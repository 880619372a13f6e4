#include "policy/automaton.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/automaton_builder.h"
#include "policy/automaton_witness.h"
#include "policy/limits.h"
#include "policy/text.h"

namespace palyra::policy {
namespace {

using Bound = AutomatonRefusal::Bound;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<Pattern> Patterns(const std::vector<std::string>& texts) {
  std::vector<Pattern> patterns;
  patterns.reserve(texts.size());
  for (const std::string& text : texts) patterns.push_back(UnescapePattern(text).value());
  return patterns;
}

std::expected<BuiltAutomaton, AutomatonRefusal> TryBuild(const std::vector<std::string>& texts,
                                                         const std::string& universe = "*",
                                                         const std::vector<uint32_t>& labels = {}) {
  const std::vector<Pattern> patterns = Patterns(texts);
  return BuildAutomaton(
      {.patterns = patterns, .labels = labels, .universe = UnescapePattern(universe).value()});
}

BuiltAutomaton Build(const std::vector<std::string>& texts, const std::string& universe = "*",
                     const std::vector<uint32_t>& labels = {}) {
  return TryBuild(texts, universe, labels).value();
}

std::vector<uint32_t> LabelsOf(const BuiltAutomaton& built, std::string_view text) {
  return built.classes.at(built.automaton.ClassOf(text)).labels;
}

std::string Repeated(std::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(AutomatonTest, NoPatternIsOneClass) {
  const BuiltAutomaton built = Build({});
  EXPECT_EQ(built.automaton, Automaton());
  EXPECT_EQ(built.automaton.state_count(), 1U);
  EXPECT_TRUE(built.automaton.IsSink(Automaton::kStart));
  EXPECT_THAT(built.classes, SizeIs(1));
  EXPECT_EQ(built.outside, std::nullopt);
}

TEST(AutomatonTest, APatternWithoutStarIsEquality) {
  const BuiltAutomaton built = Build({"/etc/passwd"});
  EXPECT_THAT(LabelsOf(built, "/etc/passwd"), ElementsAre(0));
  for (const char* other :
       {"", "/", "/etc/passw", "/etc/passwd/", "/etc/passwd-", "x/etc/passwd"}) {
    EXPECT_THAT(LabelsOf(built, other), IsEmpty()) << other;
  }
}

TEST(AutomatonTest, TheEmptyPatternIsTheEmptyText) {
  const BuiltAutomaton built = Build({""});
  EXPECT_THAT(LabelsOf(built, ""), ElementsAre(0));
  EXPECT_THAT(LabelsOf(built, "a"), IsEmpty());
  EXPECT_EQ(built.automaton.state_count(), 2U);
}

TEST(AutomatonTest, AStarIsAnyRun) {
  const BuiltAutomaton built = Build({"/home/*/.ssh/*", "/home/*", "*.env"});
  EXPECT_THAT(LabelsOf(built, "/home/a/.ssh/id"), ElementsAre(0, 1));
  EXPECT_THAT(LabelsOf(built, "/home/a/b/.ssh/"), ElementsAre(0, 1));
  EXPECT_THAT(LabelsOf(built, "/home//.ssh/.env"), ElementsAre(0, 1, 2));
  EXPECT_THAT(LabelsOf(built, "/home/.ssh/x"), ElementsAre(1));
  EXPECT_THAT(LabelsOf(built, ".env"), ElementsAre(2));
  EXPECT_THAT(LabelsOf(built, "/home/x.envy"), ElementsAre(1));
}

TEST(AutomatonTest, TheEndsOfAPatternDoNotOverlap) {
  const BuiltAutomaton built = Build({"ab*ba"});
  EXPECT_THAT(LabelsOf(built, "aba"), IsEmpty());
  EXPECT_THAT(LabelsOf(built, "abba"), ElementsAre(0));
  EXPECT_THAT(LabelsOf(built, "abbaba"), ElementsAre(0));
}

TEST(AutomatonTest, APrefixIsASink) {
  const BuiltAutomaton built = Build({"/a/*", "/a/b"});
  EXPECT_TRUE(built.automaton.IsSink(built.automaton.StateAfter(Automaton::kStart, "/a/x")));
  EXPECT_TRUE(built.automaton.IsSink(built.automaton.StateAfter(Automaton::kStart, "/b")));
  EXPECT_FALSE(built.automaton.IsSink(built.automaton.StateAfter(Automaton::kStart, "/a/b")));
}

// What a rename of a directory rests on.
TEST(AutomatonTest, TwoDirectoriesWithTheSameRulesBelowHaveTheSameState) {
  const Automaton automaton = Build({"*/.git/hooks/*"}).automaton;
  const auto after = [&](std::string_view text) {
    return automaton.StateAfter(Automaton::kStart, text);
  };
  EXPECT_EQ(after("/repo/src/"), after("/repo/doc/"));
  EXPECT_NE(after("/repo/g2/"), after("/repo/.git/"));
  EXPECT_EQ(after("/repo/.git/hooks/"), after("/x/.git/hooks/y/"));
}

TEST(AutomatonTest, CharactersOfUpToFourBytesAreThemselves) {
  const BuiltAutomaton built = Build({"é*", "*€", "a*𝄞*z", "日本"});
  EXPECT_THAT(LabelsOf(built, "é"), ElementsAre(0));
  EXPECT_THAT(LabelsOf(built, "éa€"), ElementsAre(0, 1));
  EXPECT_THAT(LabelsOf(built, "a𝄞z"), ElementsAre(2));
  EXPECT_THAT(LabelsOf(built, "a𝄢z"), IsEmpty());
  EXPECT_THAT(LabelsOf(built, "日本"), ElementsAre(3));
  EXPECT_THAT(LabelsOf(built, "日本€"), ElementsAre(1));
  EXPECT_THAT(LabelsOf(built, "日木"), IsEmpty());
}

TEST(AutomatonTest, WhatIsNotUtf8EndsInSomeClass) {
  const BuiltAutomaton built = Build({"é*", "*€", "/a/*"});
  for (std::string text : {"\xC3", "\xFF\xFE", "\x80\x80", "/a/\xE2\x82"}) {
    EXPECT_LT(built.automaton.ClassOf(text), built.classes.size());
    text += '\0';
    EXPECT_LT(built.automaton.ClassOf(text), built.classes.size());
  }
}

TEST(AutomatonTest, APatternThatNoTextCanMatchCostsNothing) {
  std::vector<Pattern> patterns = Patterns({"/a"});
  const Automaton alone = BuildAutomaton({.patterns = patterns, .labels = {}})->automaton;
  patterns.push_back({.pieces = {std::string("/a\0b", 4)}});
  patterns.push_back({.pieces = {"/\xFF", ""}});
  EXPECT_EQ(BuildAutomaton({.patterns = patterns, .labels = {}})->automaton, alone);
}

TEST(AutomatonTest, OutsideTheUniverseIsOneClass) {
  const BuiltAutomaton built = Build({"/a*", "*b", "c"}, "/*");
  ASSERT_TRUE(built.outside.has_value());
  for (const char* text : {"", "b", "c", "a/"}) {
    EXPECT_EQ(built.automaton.ClassOf(text), *built.outside) << text;
  }
  EXPECT_THAT(LabelsOf(built, "/ab"), ElementsAre(0, 1));
  // /a, /ab, /b, / and outside.
  EXPECT_THAT(built.classes, SizeIs(5));
}

TEST(AutomatonTest, ClassesThatOnlyTextsOutsideTheUniverseHaveAreDropped) {
  const BuiltAutomaton built = Build({"a*", "*b"}, "*c");
  ASSERT_TRUE(built.outside.has_value());
  EXPECT_THAT(LabelsOf(built, "ac"), ElementsAre(0));
  EXPECT_EQ(built.automaton.ClassOf("ab"), *built.outside);
  EXPECT_THAT(built.classes, SizeIs(3));
}

TEST(AutomatonTest, AlternativesOfOneLabelAreOneAnswer) {
  const std::vector<std::string> secrets = {"*/.ssh/*", "*/.aws/*", "*/.env", "*/.kube/*"};
  const BuiltAutomaton together = Build(secrets, "*", {7, 7, 7, 7});
  const BuiltAutomaton apart = Build(secrets);
  EXPECT_THAT(together.classes, SizeIs(2));
  EXPECT_THAT(LabelsOf(together, "/.ssh/x/.aws/y"), ElementsAre(7));
  EXPECT_THAT(LabelsOf(together, "/.sshx"), IsEmpty());
  EXPECT_LT(together.automaton.state_count() * 4, apart.automaton.state_count());

  std::vector<uint32_t> any(apart.classes.size());
  for (size_t i = 0; i < any.size(); ++i) any[i] = apart.classes[i].labels.empty() ? 0 : 1;
  EXPECT_EQ(apart.automaton.Relabel(any), together.automaton);
}

TEST(AutomatonTest, RelabellingMinimisesAgain) {
  const BuiltAutomaton built = Build({"/a/x", "/b/x", "/c/*"});
  std::vector<uint32_t> same(built.classes.size(), 3);
  EXPECT_EQ(built.automaton.Relabel(same).state_count(), 1U);
  for (size_t i = 0; i < same.size(); ++i) same[i] = built.classes[i].labels.empty() ? 0 : 1;
  const Automaton merged = built.automaton.Relabel(same);
  EXPECT_EQ(merged.StateAfter(Automaton::kStart, "/a"), merged.StateAfter(Automaton::kStart, "/b"));
  EXPECT_EQ(merged.ClassOf("/c/"), 1U);
  EXPECT_EQ(merged.ClassOf("/a/y"), 0U);
  // Bytes that are told apart no longer are in one class.
  EXPECT_EQ(merged.byte_classes()['a'], merged.byte_classes()['b']);
}

TEST(AutomatonTest, BytesOfNoPatternTakeTheFallback) {
  const Automaton automaton = Build({"/a*"}).automaton;
  EXPECT_EQ(automaton.byte_class_count(), 3U);
  EXPECT_EQ(automaton.byte_classes()['z'], 0);
  EXPECT_EQ(automaton.byte_classes()['\0'], 0);
  EXPECT_EQ(automaton.byte_classes()['/'], 1);
  EXPECT_EQ(automaton.byte_classes()['a'], 2);
}

TEST(AutomatonTest, PathsOf4096BytesAreWalked) {
  const std::string deep = Repeated("/abcdefg", 512);
  const BuiltAutomaton built = Build({deep, "*/abcdefg/x", "/abcdefg*h"});
  ASSERT_EQ(deep.size(), 4096U);
  EXPECT_THAT(LabelsOf(built, deep), ElementsAre(0));
  EXPECT_THAT(LabelsOf(built, deep.substr(1)), IsEmpty());
  EXPECT_THAT(LabelsOf(built, deep + "/x"), ElementsAre(1));
  EXPECT_THAT(LabelsOf(built, deep + "h"), ElementsAre(2));
}

// Each state is a piece's progress: KMP's automaton, and not a subset of it.
TEST(AutomatonTest, ManyStarsInOnePatternNeedAStateForEachByte) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "*aab";
  const BuiltAutomaton built = Build({text + "*"});
  EXPECT_EQ(built.automaton.state_count(), 301U);
  EXPECT_THAT(LabelsOf(built, Repeated("aaab", 100)), ElementsAre(0));
  EXPECT_THAT(LabelsOf(built, Repeated("aaab", 99)), IsEmpty());
}

TEST(AutomatonTest, ManySuffixesAreQuick) {
  std::vector<std::string> domains;
  for (int i = 0; i < 2000; ++i) domains.push_back("*.d" + std::to_string(i) + ".example.com");
  const BuiltAutomaton built = Build(domains);
  EXPECT_THAT(LabelsOf(built, "www.d17.example.com"), ElementsAre(17));
  EXPECT_THAT(LabelsOf(built, "d17.example.com"), IsEmpty());
  EXPECT_THAT(LabelsOf(built, ".d1.example.d1999.example.com"), ElementsAre(1999));
}

TEST(AutomatonTest, ManyClassesAreTakenAtTheBoundAndRefusedBeyond) {
  std::vector<std::string> patterns;
  for (int i = 0; i < 17; ++i)
    patterns.push_back(std::string("*") + static_cast<char>('a' + i) + '*');
  EXPECT_THAT(Build(patterns).classes, SizeIs(kMaxStringClasses));
  patterns.emplace_back("");
  const auto beyond = TryBuild(patterns);
  ASSERT_FALSE(beyond.has_value());
  EXPECT_EQ(beyond.error().bound, Bound::kClasses);
  EXPECT_THAT(beyond.error().patterns, testing::Not(testing::Contains(17)));
}

TEST(AutomatonTest, ManyStatesAreTakenAtTheBoundAndRefusedBeyond) {
  // A state before each byte, one behind all, and one for whatever else.
  const std::string longest(kMaxAutomatonStates - 2, 'a');
  EXPECT_EQ(Build({longest}).automaton.state_count(), kMaxAutomatonStates);
  const auto beyond = TryBuild({"b", longest + 'a'});
  ASSERT_FALSE(beyond.has_value());
  EXPECT_EQ(beyond.error().bound, Bound::kStates);
  EXPECT_THAT(beyond.error().patterns, ElementsAre(1, 0));
}

TEST(AutomatonTest, ARefusalNamesThePatternsThatMultiply) {
  std::vector<std::string> patterns = {"/etc/passwd", "/usr/*"};
  for (int i = 0; i < 30; ++i) patterns.push_back("/home/*/name" + std::to_string(i) + "/*");
  const auto built = TryBuild(patterns);
  ASSERT_FALSE(built.has_value());
  EXPECT_THAT(built.error().patterns, SizeIs(8));
  EXPECT_THAT(built.error().patterns, testing::Each(testing::Ge(2)));
}

TEST(AutomatonTest, TextLongerThanAllStatesIsRefusedUnbuilt) {
  const std::vector<std::string> patterns(3, std::string(kMaxAutomatonStates, 'x'));
  std::vector<std::string> different;
  for (size_t i = 0; i < 3; ++i) different.push_back(std::to_string(i) + patterns[i]);
  const auto built = TryBuild(different);
  ASSERT_FALSE(built.has_value());
  EXPECT_EQ(built.error().bound, Bound::kWork);
}

TEST(AutomatonWitnessTest, ARepresentativeIsShortest) {
  const BuiltAutomaton built = Build({"/a/*", "*é", "日*"}, "*");
  std::vector<std::string> texts;
  for (const StringClass& text_class : built.classes) texts.push_back(text_class.representative);
  EXPECT_THAT(texts, testing::UnorderedElementsAre("", "/a/", "é", "日", "/a/é", "日é"));
}

TEST(AutomatonWitnessTest, WhereNoPlainByteIsLeftARarerCharacterIsFound) {
  std::vector<std::string> patterns;
  for (char c = 1; c < 127; ++c) patterns.push_back(std::string(c == '*' ? "\\" : "") + c + "*");
  std::vector<Pattern> read;
  for (char c = 1; c < 127; ++c) read.push_back({.pieces = {std::string(1, c), ""}});
  read.push_back({.pieces = {"\x7F", ""}});
  read.push_back({.pieces = {"", ""}});
  const BuiltAutomaton built = BuildAutomaton({.patterns = read, .labels = {}}).value();
  const uint32_t other = built.automaton.ClassOf("ü");
  EXPECT_THAT(built.classes[other].labels, ElementsAre(127));
  // The empty text is of that class too, and shorter.
  EXPECT_EQ(built.classes[other].representative, "");
}

TEST(AutomatonWitnessTest, PairsOfClassesShowWhatChanged) {
  const BuiltAutomaton before = Build({"/data/*"}, "/*");
  const BuiltAutomaton after = Build({"/data/*", "/data/secret"}, "/*");
  const auto pairs = ProductClasses(before.automaton, after.automaton, 1000);
  ASSERT_TRUE(pairs.has_value());
  std::vector<std::string> texts;
  for (const ClassPair& pair : *pairs) {
    EXPECT_EQ(before.automaton.ClassOf(pair.representative), pair.a);
    EXPECT_EQ(after.automaton.ClassOf(pair.representative), pair.b);
    texts.push_back(pair.representative);
  }
  EXPECT_THAT(texts, ElementsAre("", "/", "/data/", "/data/secret"));
  EXPECT_FALSE(ProductClasses(before.automaton, after.automaton, 5).has_value());
}

}  // namespace
}  // namespace palyra::policy
