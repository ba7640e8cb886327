// SPDX-License-Identifier: Apache-2.0
// One schema that says what two say.
#pragma once

#include <string_view>

#include "grammar/schema_document.h"

namespace tern {

// A schema whose instances are those of both; $refs of the two schemas themselves are replaced by what they name in the
// document. Parts of a property, or of items, become an allOf. Annotations and $defs are left out. Throws Error naming
// `place` for keywords that cannot be merged.
SchemaJson merged_schema(const SchemaJson& document, const SchemaJson& a, const SchemaJson& b, std::string_view place);

// The schema without $ref at its own level.
SchemaJson without_reference(const SchemaJson& document, SchemaJson schema, std::string_view place);

}  // namespace tern
