package spec

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// scalar puts a plain value into v.
func (d *decoder) scalar(n ast.Node, v reflect.Value) error {
	text, isText := stringOf(n)
	if !isText {
		text = n.GetToken().Value
	}
	wrong := func(want string) error {
		if !scalar(n) {
			return fmt.Errorf("want %s, got %s", want, describe(n))
		}
		if isText && v.Kind() != reflect.Struct {
			return fmt.Errorf("want %s, got the text %q", want, shorten(text))
		}
		return fmt.Errorf("want %s, got %q", want, shorten(text))
	}
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		for _, form := range []string{time.RFC3339, time.DateOnly} {
			if t, err := time.Parse(form, text); err == nil && t.Year() >= 1970 && t.Year() < 2200 && scalar(n) {
				*x = t
				return nil
			}
		}
		return wrong("a time from 1970 to 2199, such as 2005-03-30T00:00:00Z")
	case encoding.TextUnmarshaler:
		if !scalar(n) {
			return wrong("a plain value")
		}
		if err := x.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%w, got %q", err, shorten(text))
		}
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		if _, ok := n.(*ast.IntegerNode); !isText && scalar(n) && !(ok && d.number) {
			return fmt.Errorf("want text, got %s: put it in quotes: %q", describe(n), shorten(text))
		}
		if !scalar(n) {
			return wrong("text")
		}
		v.SetString(text)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			return wrong("true or false")
		}
		v.SetBool(b.Value)
	case reflect.Int:
		i, err := strconv.ParseInt(text, 10, 0)
		if err != nil || isText || leadingZero(text) {
			return wrong("a whole number")
		}
		v.SetInt(i)
	case reflect.Uint64:
		u, err := strconv.ParseUint(text, 10, 64)
		if err != nil || isText || leadingZero(text) {
			return wrong("a whole number from 0 to 18446744073709551615")
		}
		v.SetUint(u)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || isText || f-f != 0 { // an infinity or NaN; the numbers of this kind are probabilities
			return wrong("a number from 0 to 1, such as 0.05 for 5%")
		}
		v.SetFloat(f)
	default:
		panic("spec: no scalar of a file has type " + v.Type().String())
	}
	return nil
}

// leadingZero refuses what YAML 1.1 reads as octal and YAML 1.2 does not.
func leadingZero(text string) bool { return len(text) > 1 && text[0] == '0' }

func scalar(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.SequenceNode:
		return false
	}
	return true
}

// stringOf is the value of a node that YAML reads as a string.
func stringOf(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	return "", false
}

// describe names the kind of a node.
func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode:
		return "nothing"
	}
	return "something else"
}
