package spec

import (
	"reflect"
	"strings"
	"sync"
)

// shape is what YAML sees of a struct.
type shape struct {
	fields map[string]reflect.StructField // by their YAML keys, those of inlined structs among them
	keys   []string                       // the same keys in the order of the type
}

// shapes keeps the shape of each type: looking through a type's tags costs more
// than decoding a value of it.
var shapes sync.Map

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := &shape{fields: map[string]reflect.StructField{}}
	for _, f := range reflect.VisibleFields(t) {
		if key := yamlKey(f); key != "" {
			s.fields[key] = f
			s.keys = append(s.keys, key)
		}
	}
	shapes.Store(t, s)
	return s
}

// fieldsOf are the fields of a struct by their YAML keys. Nobody changes the map.
func fieldsOf(t reflect.Type) map[string]reflect.StructField { return shapeOf(t).fields }

// keysOf are the YAML keys of a struct in the order of the type. Nobody changes the list.
func keysOf(t reflect.Type) []string { return shapeOf(t).keys }

func yamlKey(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if key == "-" {
		return ""
	}
	return key
}
