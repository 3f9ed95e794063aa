package spec

import "github.com/invopop/jsonschema"

// reference is the name of the definition of a text that refers to parameters.
const reference = "Reference"

// referring lets references to parameters stand wherever a plain value of
// another form is wanted: all over a scenario, but not in parameters and matrix.
func referring(s *jsonschema.Schema) {
	s.Definitions[reference] = &jsonschema.Schema{
		Type: "string", Pattern: `\$\{[a-z0-9-]+(\.[a-z0-9-]+)?\}`,
		Description: "The value that parameters have in the cell: ${name}, or ${name.field} of a value with several fields.",
	}
	for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
		if pair.Key != "parameters" && pair.Key != "matrix" {
			pair.Value = referable(pair.Value)
		}
	}
	for name, d := range s.Definitions {
		if name == "Matrix" || d.Properties == nil {
			continue
		}
		for pair := d.Properties.Oldest(); pair != nil; pair = pair.Next() {
			pair.Value = referable(pair.Value)
		}
	}
}

// referable is a schema that a reference fits as well, if it is of plain values.
func referable(s *jsonschema.Schema) *jsonschema.Schema {
	switch {
	case s.Ref != "":
		return s
	case s.Type == "array":
		s.Items = referable(s.Items)
		return s
	case s.Type == "object":
		if s.AdditionalProperties != nil {
			s.AdditionalProperties = referable(s.AdditionalProperties)
		}
		return s
	case s.Type == "string" && s.Enum == nil && s.Pattern == "":
		return s // any text
	}
	out := &jsonschema.Schema{Description: s.Description}
	plain := *s
	plain.Description = ""
	out.AnyOf = []*jsonschema.Schema{&plain, {Ref: "#/$defs/" + reference}}
	return out
}

// plainValue is the schema of a parameter's value, or of one of its fields.
func plainValue() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}}
}

// parameterValue is the schema of a Value.
func parameterValue() *jsonschema.Schema {
	fields := &jsonschema.Schema{
		Type: "object", Required: []string{"label"}, AdditionalProperties: plainValue(),
		PropertyNames: &jsonschema.Schema{Pattern: validName.String()},
	}
	s := plainValue()
	s.OneOf = append(s.OneOf, fields)
	return s
}
