package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Document is a file beside the scenario files that is read as they are, without parameters:
// each mistake in it has its line and column.
type Document struct {
	src  *source
	errs Errors
}

// kind is what messages call a file and what they say that it needs.
type kind struct{ noun, needs string }

var scenarioKind = kind{"scenario", "a scenario needs at least title, network, nodes and steps"}

// ReadYAML puts a file into a struct with YAML keys. name is what messages call the file, and noun is
// what they call its content, such as "list of cases". The error, when there is one, is an Errors with all mistakes.
func ReadYAML(name, noun string, src []byte, into any) (*Document, error) {
	return readDocument(name, noun, src, into, nil)
}

// ReadJSON is ReadYAML for a file that has to be JSON.
func ReadJSON(name, noun string, src []byte, into any) (*Document, error) {
	return readDocument(name, noun, src, into, asYAML)
}

// asYAML makes YAML of a text that has to be JSON.
func asYAML(source *source, text string) (string, *Error) {
	var whole json.RawMessage
	var at *json.SyntaxError
	if err := json.Unmarshal([]byte(text), &whole); errors.As(err, &at) {
		return "", source.error(positionIn(text, int(at.Offset)-1), "$", at.Error())
	}
	// JSON is YAML as well. Its tabs are all between values; the YAML reader miscounts columns behind them.
	return strings.ReplaceAll(text, "\t", " "), nil
}

// readDocument reads YAML, or what convert makes YAML of; nil: it is that.
func readDocument(name, noun string, src []byte, into any, convert func(*source, string) (string, *Error)) (*Document, error) {
	v := reflect.ValueOf(into).Elem()
	k := kind{noun, fmt.Sprintf("a %s has %s", noun, strings.Join(keysOf(v.Type()), ", "))}
	text, mistake := plainText(name, k, src)
	if mistake != nil {
		return nil, Errors{mistake}
	}
	source := newSource(name, text)
	if convert != nil {
		if text, mistake = convert(source, text); mistake != nil {
			return nil, Errors{mistake}
		}
	}
	root, mistake := parseYAML(source, k, text)
	if mistake != nil {
		return nil, Errors{mistake}
	}
	d := newDecoder(source, k, root)
	d.verbatim = true
	source.values["$"] = start(root)
	d.value(root, v, "$", "")
	if err := d.errs.orNil(); err != nil {
		return nil, err
	}
	return &Document{src: source}, nil
}

// positionIn is the place of the character at an offset.
func positionIn(text string, offset int) position {
	before := text[:min(max(offset, 0), len(text))]
	return position{1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])}
}

// Fail notes a mistake at a path, which Path makes; where nothing is there, that of what is around it.
func (d *Document) Fail(path, format string, args ...any) {
	if len(d.errs) < maxErrors {
		d.errs = append(d.errs, d.src.error(d.src.at(path), path, fmt.Sprintf(format, args...)))
	}
}

// Err are the mistakes that were noted, as an Errors in the order of the file; nil for none.
func (d *Document) Err() error { return d.errs.orNil() }

// Path is that of a value below the root of a file: keys are strings, and indexes, which count from 0, are ints.
func Path(elements ...any) string {
	path := "$"
	for _, e := range elements {
		switch e := e.(type) {
		case int:
			path = item(path, e)
		case string:
			path = child(path, e)
		default:
			panic(fmt.Sprintf("spec: %v is no element of a path", e))
		}
	}
	return path
}
