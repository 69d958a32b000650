// sdkgen SCHEMA FOLDER writes the Go SDK of a Pulumi package, as `pulumi package gen-sdk` does with
// the Go language plugin, which is not part of the CLI.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	gogen "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

// FOLDER is meant to be `sdk` beside this file, in its module.
const base = "colony.dev/tools/sdkgen/sdk/colony"

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: sdkgen SCHEMA FOLDER"))
	}
	files, err := generate(os.Args[1])
	if err != nil {
		fail(err)
	}
	for name, content := range files {
		path := filepath.Join(os.Args[2], name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			fail(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			fail(err)
		}
	}
}

func generate(path string) (map[string][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var spec schema.PackageSpec
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	// The generated files import each other by it.
	spec.Language = map[string]schema.RawMessage{"go": schema.RawMessage(`{"importBasePath": "` + base + `"}`)}
	bound, err := schema.ImportSpec(spec, nil, schema.NewNullLoader(), schema.ValidationOptions{})
	if err != nil {
		return nil, err
	}
	return gogen.GeneratePackage("colony", bound, nil)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
