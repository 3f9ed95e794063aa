package spec

import (
	"embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/ipseclab/ipseclab/internal/profile"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox/boxes"
)

// SchemaID is the address of the published schema.
const SchemaID = "https://raw.githubusercontent.com/ipseclab/ipseclab/main/docs/schema/scenario.schema.json"

// The comments of these files are the schema's descriptions.
//
//go:embed spec.go expect.go grid.go values.go links.go measures.go announce.go attack.go renumber.go servers.go scan.go discover.go netsh.go firewall.go host_firewall.go peer.go nat.go natt.go nat_expect.go
//go:embed observers.go classes.go queueing.go
//go:embed discover.go
var sources embed.FS

// Schema is the JSON Schema of scenario files, indented, draft 2020-12. It
// catches what an editor can: unknown keys, wrong types, words that are not
// allowed. What it accepts may still be refused by Parse.
func Schema() ([]byte, error) {
	comments, err := commentMap()
	if err != nil {
		return nil, fmt.Errorf("spec: reading the comments of the scenario types: %w", err)
	}
	r := jsonschema.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		ExpandedStruct:             true,
		Anonymous:                  true,
		Mapper:                     values,
		CommentMap:                 comments,
	}
	s := r.Reflect(&file{})
	s.ID, s.Title, s.Description = SchemaID, "An ipseclab scenario", "One scenario file."
	refine(s)
	return json.MarshalIndent(s, "", "  ")
}

var one uint64 = 1

// values are the schemas of the types that are written as one word. Their
// descriptions stand beside each use, as the comments of the fields.
func values(t reflect.Type) *jsonschema.Schema {
	text := func(pattern string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: "^" + pattern + "$"}
	}
	number := &jsonschema.Schema{Type: "integer", Minimum: "0"}
	ranged := func(one string) string {
		return fmt.Sprintf(`((<=|>=) *)?%s|%[1]s *\.\. *%[1]s`, one)
	}
	switch t {
	case reflect.TypeFor[Value]():
		return parameterValue()
	case reflect.TypeFor[Condition](), reflect.TypeFor[When]():
		several := &jsonschema.Schema{Type: "array", MinItems: &one, Items: plainValue()}
		either := plainValue()
		either.OneOf = append(either.OneOf, several)
		return &jsonschema.Schema{Type: "object", MinProperties: &one, AdditionalProperties: either}
	case reflect.TypeFor[Duration]():
		return text("(0|" + durationPattern + ")")
	case reflect.TypeFor[DurationRange]():
		return text("(" + ranged("("+durationPattern+")") + ")")
	case reflect.TypeFor[PercentRange]():
		return text("(" + ranged("("+percentPattern+")") + ")")
	case reflect.TypeFor[Word]():
		return plainValue()
	case reflect.TypeFor[Dialects]():
		one := &jsonschema.Schema{Type: "string", Enum: []any{DialectsOff}}
		for _, d := range profile.NATDialects() {
			one.Enum = append(one.Enum, d)
		}
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{one, {Type: "array", Items: one, UniqueItems: true}}}
	case reflect.TypeFor[Size]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{number, text(sizePattern)}}
	case reflect.TypeFor[Rate]():
		return text(ratePattern)
	case reflect.TypeFor[Range]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{number, text("(" + ranged("("+sizePattern+")") + ")")}}
	}
	return nil
}

// refine adds the rules that stand in no single field.
func refine(s *jsonschema.Schema) {
	named := func(of *jsonschema.Schema, key string, form *regexp.Regexp) {
		p, _ := of.Properties.Get(key)
		p.PropertyNames = &jsonschema.Schema{Pattern: form.String()}
	}
	names := func(of *jsonschema.Schema, key string) { named(of, key, validName) }
	expect := s.Definitions["Expect"]
	names(expect, "counters")
	names(expect, "ike-counters")
	names(expect, "firewall-counters")
	names(expect, "nat")
	names(expect, "sas")
	names(expect, "certificates")
	names(expect, "observed")
	names(s.Definitions["Node"], "observers")
	names(s.Definitions["Segment"], "observers")
	for _, key := range []string{"parameters", "nodes", "assignments", "persistent"} {
		names(s, key)
	}
	for _, key := range []string{"filter-lists", "filter-actions", "policies"} {
		named(s, key, validTitle)
	}
	names(s.Definitions["Network"], "segments")
	claims, _ := s.Properties.Get("claims")
	claims.Items = &jsonschema.Schema{Type: "string", Pattern: claimID.String()}
	begin, _ := s.Properties.Get("start") // a time, or a date alone
	begin.Format, begin.Pattern = "", `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?$`
	system, _ := s.Definitions["Node"].Properties.Get("os")
	for _, name := range profile.Names() {
		system.Enum = append(system.Enum, name)
	}
	box, _ := s.Definitions["NAT"].Properties.Get("box")
	for _, name := range boxes.Names() {
		box.Enum = append(box.Enum, name)
	}
	for _, k := range boxes.Keys() {
		p, _ := s.Definitions["NAT"].Properties.Get(k.Name)
		if p.Type == "array" && p.Items != nil && len(k.Words) > 0 {
			p = p.Items
		}
		for _, word := range k.Words {
			p.Enum = append(p.Enum, word)
		}
	}
	predefined, _ := s.Definitions["Policy"].Properties.Get("predefined")
	for _, name := range sorted(predefinedPolicies) {
		predefined.Enum = append(predefined.Enum, name)
	}
	kind, _ := s.Definitions["Event"].Properties.Get("kind")
	for _, name := range trace.Kinds() {
		kind.Enum = append(kind.Enum, name)
	}
	oneOf(s.Definitions["Step"], verbNames...)
	oneOf(s.Definitions["Invariant"], subjectNames...)
	oneOf(s.Definitions["Service"], serviceKinds...)
	oneOf(s.Definitions["Change"], "flip", "set")
	oneOf(s.Definitions["Inject"], packetKinds...)
	for _, name := range []string{"Queue", "Expect", "Wire", "SA", "RuleExpect", "App", "IKE", "Overhead", "Counters", "IKECounters", "FirewallCounters", "NATExpect", "SACount", "StoreExpect"} {
		s.Definitions[name].MinProperties = &one
	}
	referring(s)
}

// oneOf demands exactly one of the keys.
func oneOf(s *jsonschema.Schema, keys ...string) {
	for _, key := range keys {
		s.OneOf = append(s.OneOf, &jsonschema.Schema{Required: []string{key}})
	}
}

// commentMap collects the comments of the exported types and their fields, as
// jsonschema.Reflector.AddGoComments does for a folder of sources.
func commentMap() (map[string]string, error) {
	comments := map[string]string{}
	base := reflect.TypeFor[Scenario]().PkgPath() + "."
	files, err := sources.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		src, err := sources.ReadFile(file.Name())
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file.Name(), src, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, decl := range f.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, sp := range g.Specs {
				t := sp.(*ast.TypeSpec)
				comments[base+t.Name.Name] = oneLine(g.Doc)
				if st, ok := t.Type.(*ast.StructType); ok {
					for _, field := range st.Fields.List {
						for _, n := range field.Names {
							comments[base+t.Name.Name+"."+n.Name] = oneLine(field.Comment)
						}
					}
				}
			}
		}
	}
	return comments, nil
}

func oneLine(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }
