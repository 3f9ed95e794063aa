// Package sourced reads data files in which every value has a source, and says how sure
// it is: profiles of operating systems, NAT boxes. What a value means, the keys of the
// caller say.
//
// A file has entries below a name of the caller's, and bases, which entries take values from:
//
//	bases:
//	  common:
//	    values:
//	      colour: {value: grey, source: "RFC 1, Section 2", status: fact}
//	things:
//	  one:
//	    title: the first thing
//	    like: common
//
// It imports nothing of the project.
package sourced

import "slices"

// Value is one statement about an entry.
type Value struct {
	Key    string `json:"key"`
	Text   string `json:"value"`
	Status Status `json:"status"`
	Source string `json:"source"`

	// Informational values are for readers: the lab does nothing with them.
	Informational bool `json:"informational,omitempty"`
}

// Status is how sure a value is.
type Status string

// The three of them.
const (
	Fact        Status = "fact"        // the source says it
	Unconfirmed Status = "unconfirmed" // the source is not clear, or another one contradicts
	Choice      Status = "choice"      // of the lab: no source says anything
)

// Key is a subject on which entries have values.
type Key[T any] struct {
	Name    string
	Meaning string
	Acts    bool     // the lab does something with it
	Words   []string // that a value may be, or that a list of them may have; none: it is no matter of words

	read func(*T, any) error // nil: any text
}

// Reader puts a value of a file where the lab acts on it; Words are those of Key.
type Reader[T any] struct {
	Read  func(*T, any) error
	Words []string
}

// Acts is a key that the lab acts on.
func Acts[T any](name, meaning string, r Reader[T]) Key[T] {
	return Key[T]{Name: name, Meaning: meaning, Acts: true, Words: r.Words, read: r.Read}
}

// Told is a key that is there to be read.
func Told[T any](name, meaning string) Key[T] { return Key[T]{Name: name, Meaning: meaning} }

// Set has a value act on a thing, as if a file had it.
func (k Key[T]) Set(of *T, v any) error { return k.read(of, v) }

// Entry is what a file says of one thing.
type Entry[T any] struct {
	Name, Title string
	Values      []Value // in the order of the keys
	Of          T       // what the lab acts on
}

// Value is what the entry has under a key.
func (e *Entry[T]) Value(key string) (Value, bool) { return find(e.Values, key) }

func find(values []Value, key string) (Value, bool) {
	i := slices.IndexFunc(values, func(v Value) bool { return v.Key == key })
	if i < 0 {
		return Value{}, false
	}
	return values[i], true
}

// Unsure are the keys of values that the lab acts on and no source confirms.
func Unsure(values []Value) (keys []string) {
	for _, v := range values {
		if v.Status != Fact && !v.Informational {
			keys = append(keys, v.Key)
		}
	}
	return keys
}
