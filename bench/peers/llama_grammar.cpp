// llama_grammar.cpp - llama.cpp's own converter: reads JSON schemas, one a line, and writes for each
// a line of JSON, {"grammar": GBNF} or {"error": WHY}. Linked with llama.cpp's libraries: build.sh.
#include "json-schema-to-grammar.h"

#include <exception>
#include <iostream>
#include <string>

static void answer(const std::string & key, const std::string & text)
{
    common_json line = common_json::object();
    line[key] = text;
    std::cout << line.dump() << "\n";
}

int main()
{
    std::string schema;

    while (std::getline(std::cin, schema)) {
        try {
            answer("grammar", json_schema_to_grammar(common_json::parse(schema), true));
        } catch (const std::exception & error) {
            answer("error", error.what());
        }
    }
}
