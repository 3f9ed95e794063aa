package sourced

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Flag is true or false.
func Flag[T any](field func(*T) *bool) Reader[T] {
	return Reader[T]{Read: func(of *T, v any) error {
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("want true or false, got %v", v)
		}
		*field(of) = b
		return nil
	}}
}

// Number is a number from least on.
func Number[T any](least int, field func(*T) *int) Reader[T] {
	return Reader[T]{Read: func(of *T, v any) error {
		n, err := strconv.Atoi(fmt.Sprint(v))
		if err != nil || n < least {
			return fmt.Errorf("want a number from %d on, got %v", least, v)
		}
		*field(of) = n
		return nil
	}}
}

// Word is one of some words.
func Word[T any](field func(*T) *string, known ...string) Reader[T] {
	named := make([]Named[string], len(known))
	for i, w := range known {
		named[i] = Named[string]{w, w}
	}
	return OneOf(field, named...)
}

// Named is the word for a value.
type Named[V any] struct {
	Word  string
	Value V
}

// OneOf is a value that a word stands for.
func OneOf[T, V any](field func(*T) *V, named ...Named[V]) Reader[T] {
	var words []string
	for _, n := range named {
		words = append(words, n.Word)
	}
	return Reader[T]{Words: words, Read: func(of *T, v any) error {
		i := slices.Index(words, fmt.Sprint(v))
		if i < 0 {
			return fmt.Errorf("want one of %s, got %v", strings.Join(words, ", "), v)
		}
		*field(of) = named[i].Value
		return nil
	}}
}

// List are the texts of a list.
func List(v any) ([]string, error) {
	items, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("want a list, got %v", v)
	}
	all := []string{}
	for _, i := range items {
		all = append(all, fmt.Sprint(i))
	}
	return all, nil
}

// Words is a list of known words; of any, where none is known.
func Words[T any](field func(*T) *[]string, known ...string) Reader[T] {
	return Reader[T]{Words: known, Read: func(of *T, v any) error {
		all, err := List(v)
		if err != nil || len(all) == 0 {
			return fmt.Errorf("want a list of %s, got %v", strings.Join(known, ", "), v)
		}
		for _, w := range all {
			if len(known) > 0 && !slices.Contains(known, w) {
				return fmt.Errorf("want a list of %s, got %v", strings.Join(known, ", "), v)
			}
		}
		*field(of) = all
		return nil
	}}
}

// Span is a time.
func Span[T any](field func(*T) *time.Duration) Reader[T] {
	return Reader[T]{Read: func(of *T, v any) error {
		d, err := time.ParseDuration(fmt.Sprint(v))
		if err != nil || d <= 0 {
			return fmt.Errorf("want a time span, got %v", v)
		}
		*field(of) = d
		return nil
	}}
}
