package spec

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

const published = "../../docs/schema/scenario.schema.json"

// TestSchemaIsPublished fails when the published file is stale; -update writes it anew.
func TestSchemaIsPublished(t *testing.T) {
	schema, err := Schema()
	require.NoError(t, err)
	schema = append(schema, '\n')
	if *update {
		require.NoError(t, os.WriteFile(published, schema, 0o644))
	}
	file, err := os.ReadFile(published)
	require.NoError(t, err)
	require.Equal(t, string(file), string(schema), "stale: run go test ./scenarios/spec -update")
}

// compiled is the schema in a validator that shares nothing with its generator.
func compiled(t *testing.T) *jsonschema.Schema {
	src, err := Schema()
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource(SchemaID, doc))
	s, err := c.Compile(SchemaID)
	require.NoError(t, err)
	return s
}

func instance(t *testing.T, src []byte) any {
	j, err := yaml.YAMLToJSON(src)
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	require.NoError(t, err)
	return v
}

func TestSchemaAcceptsValid(t *testing.T) {
	s := compiled(t)
	for _, name := range glob(t, "testdata/valid/*.yaml") {
		src, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, s.Validate(instance(t, src)), name)
	}
}

// TestSchemaRefuses runs the schema over the files whose mistakes are matters
// of form: unknown keys, wrong types, words, patterns and counts.
func TestSchemaRefuses(t *testing.T) {
	s := compiled(t)
	for _, name := range []string{"keys", "types", "values", "shape"} {
		a, err := txtar.ParseFile(filepath.Join("testdata/mistakes", name+".txtar"))
		require.NoError(t, err)
		for i := 0; i < len(a.Files); i += 2 {
			require.Error(t, s.Validate(instance(t, a.Files[i].Data)), a.Files[i].Name)
		}
	}
}

// TestSchemaDescribes: an editor shows what the Go comments say.
func TestSchemaDescribes(t *testing.T) {
	s := compiled(t)
	require.Equal(t, "one line: what is shown", s.Properties["title"].Description)
	step := s.Properties["steps"].Items2020.Ref
	require.Contains(t, step.Description, "Exactly one verb is set")
	require.Equal(t, "not before this virtual time since the start", step.Properties["at"].Description)
	ping := step.Properties["ping"].Ref
	require.Equal(t, "per request; 0: 5s", ping.Properties["timeout"].Description)
}
