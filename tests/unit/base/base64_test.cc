#include "base/base64.h"

#include <gtest/gtest.h>

namespace palyra::base {
namespace {

TEST(Base64, IsThatOfTheStandard) {
  const struct {
    const char* bytes;
    const char* text;
  } cases[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"},
               {"\xFF\xEF\xFE", "/+/+"}};
  for (const auto& c : cases) {
    EXPECT_EQ(Base64Text(c.bytes), c.text);
    EXPECT_EQ(BytesOfBase64(c.text), c.bytes);
  }
}

TEST(Base64, HasOneForm) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "====", "Zg==\n",
                           " Zg==", "Zm9v-m9v", "Zm8=Zm8=", "=Zm9"}) {
    EXPECT_EQ(BytesOfBase64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace palyra::base
