package trace

import (
	"reflect"
	"strconv"
	"strings"
)

// A path names one field of an event: the name that the file has for it, and below it
// names of nested fields and places in lists, from 1, joined by dots, as in offered.2.verdict.

// HasField reports whether events of a kind may have a field at a path.
func HasField(kind, path string) bool {
	t, ok := types[kind]
	for _, step := range strings.Split(path, ".") {
		if !ok {
			return false
		}
		if t.Kind() == reflect.Slice && t != reflect.TypeFor[Hex]() {
			place, err := strconv.Atoi(step)
			t, ok = t.Elem(), err == nil && place >= 1
			continue
		}
		t, ok = fieldOf(t, step)
	}
	return ok
}

func fieldOf(t reflect.Type, name string) (reflect.Type, bool) {
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	for _, f := range reflect.VisibleFields(t) {
		if known, _, _ := strings.Cut(f.Tag.Get("json"), ","); known == name {
			return f.Type, true
		}
	}
	return nil, false
}

// FieldAt is what stands at a path in the Fields of an event.
func FieldAt(fields map[string]any, path string) (any, bool) {
	var v any = fields
	for _, step := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			inner, ok := at[step]
			if !ok {
				return nil, false
			}
			v = inner
		case []any:
			place, err := strconv.Atoi(step)
			if err != nil || place < 1 || place > len(at) {
				return nil, false
			}
			v = at[place-1]
		default:
			return nil, false
		}
	}
	return v, true
}
