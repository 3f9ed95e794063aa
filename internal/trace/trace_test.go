package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fill sets every field below v to something that is not zero.
func fill(t *testing.T, v reflect.Value, depth int) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			require.True(t, v.Type().Field(i).IsExported(), "%s.%s would not be written", v.Type(), v.Type().Field(i).Name)
			require.True(t, v.Type().Field(i).Anonymous || v.Type().Field(i).Tag.Get("json") != "", "%s.%s has no name in the file", v.Type(), v.Type().Field(i).Name)
			fill(t, v.Field(i), depth)
		}
	case reflect.Slice:
		if depth == 0 { // fields hold fields
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), depth-1)
		}
	case reflect.String:
		v.SetString("<a & b> „ü“\n")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-7)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(0.125)
	default:
		t.Fatalf("%s: no rule for a %s", v.Type(), v.Kind())
	}
}

// TestEveryKindRoundTrips writes each kind of event, empty and full, and reads it back.
func TestEveryKindRoundTrips(t *testing.T) {
	files := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	methods := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := parser.ParseFile(files, name, nil, 0)
		require.NoError(t, err)
		for _, d := range src.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "Kind" {
				methods++
			}
		}
	}
	require.Len(t, kinds, methods, "every kind is registered, under a name of its own")

	for kind, decode := range kinds {
		t.Run(kind, func(t *testing.T) {
			empty, err := decode([]byte("{}"))
			require.NoError(t, err)
			require.Equal(t, kind, empty.Kind())
			full := reflect.New(reflect.TypeOf(empty)).Elem()
			fill(t, full, 2)
			var file bytes.Buffer
			log := New(&file)
			log.Record(0, "", empty)
			log.Record(time.Hour, "host a", full.Interface().(Body))
			require.NoError(t, log.Err())
			got, err := Read(bytes.NewReader(file.Bytes()))
			require.NoError(t, err)
			require.Equal(t, log.Events(), got)
		})
	}
}

// TestLines fixes what the file looks like.
func TestLines(t *testing.T) {
	var file bytes.Buffer
	log := New(&file)
	log.Record(0, "", Step{Index: 1, Verb: "ping", Title: "a pings b", State: "started"})
	log.Record(1500*time.Millisecond, "a", IKEKeys{CookieI: Hex{1, 0xab}, Cipher: "3DES", Key: Hex{0xff}})
	require.Equal(t, `{"t":0,"kind":"scenario.step","data":{"index":1,"verb":"ping","title":"a pings b","state":"started"}}
{"t":1500000000,"node":"a","kind":"ike.keys","data":{"cookie_i":"01ab","cookie_r":"","cipher":"3DES","key":"ff"}}
`, file.String())
	require.Equal(t, "01ab", Hex{1, 0xab}.String())
}

func TestReadErrors(t *testing.T) {
	const good = `{"t":1,"kind":"app","data":{"app":"ping","event":"timeout"}}` + "\n"
	for name, tt := range map[string]struct{ line, want string }{
		"not JSON":          {"hello", "trace: line 2: invalid character 'h' looking for beginning of value"},
		"an empty line":     {"\n", "trace: line 2: unexpected end of JSON input"},
		"null":              {"null", `trace: line 2: unknown kind of event ""`},
		"an unknown kind":   {`{"t":1,"kind":"app.x","data":{}}`, `trace: line 2: unknown kind of event "app.x"`},
		"no data":           {`{"t":1,"kind":"app"}`, "trace: line 2: app: unexpected end of JSON input"},
		"a wrong type":      {`{"t":1,"kind":"app","data":{"bytes":"x"}}`, "trace: line 2: app: json: cannot unmarshal string into Go struct field Application.bytes of type int64"},
		"odd hexadecimal":   {`{"t":1,"kind":"ike.keys","data":{"key":"abc"}}`, "trace: line 2: ike.keys: encoding/hex: odd length hex string"},
		"a line too long":   {strings.Repeat("x", 17<<20), "trace: after 1 events: bufio.Scanner: token too long"},
		"a fractional time": {`{"t":1.5,"kind":"app","data":{}}`, "trace: line 2: json: cannot unmarshal number 1.5 into Go struct field wire.t of type int64"},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := Read(strings.NewReader(good + tt.line))
			require.EqualError(t, err, tt.want)
			require.Equal(t, []Event{{At: 1, Body: Application{App: "ping", Event: "timeout"}}}, events, "what stands before it")
		})
	}
	events, err := Read(strings.NewReader(""))
	require.NoError(t, err)
	require.Empty(t, events)
}

func TestObservers(t *testing.T) {
	log := New(nil)
	log.Record(0, "a", Application{App: "before"})
	var got []string
	for _, who := range []string{"1", "2"} {
		log.Observe(func(e Event) { got = append(got, who+e.Body.(Application).App) })
	}
	log.Record(1, "a", Application{App: "x"})
	log.Record(2, "a", Application{App: "y"})
	require.Equal(t, []string{"1x", "2x", "1y", "2y"}, got)
	require.Len(t, log.Events(), 3)
	require.NoError(t, log.Err())
}

func TestNilLog(t *testing.T) {
	var log *Log
	log.Observe(func(Event) { t.Error("called") })
	log.Record(0, "a", Application{})
	require.Empty(t, log.Events())
	require.NoError(t, log.Err())
}

var errDisk = errors.New("disk on fire")

type failing struct{ n int }

func (f *failing) Write(b []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, errDisk
	}
	return len(b), nil
}

// TestWriteError: the first error stays, later events are kept in memory and not written.
func TestWriteError(t *testing.T) {
	w := &failing{n: 1}
	log := New(w)
	for range 3 {
		log.Record(0, "a", Application{})
	}
	require.ErrorIs(t, log.Err(), errDisk)
	require.Len(t, log.Events(), 3)
	require.Equal(t, -1, w.n, "no attempt after the failed one")
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"t":1,"node":"a","kind":"ike.message","data":{"cookie_i":"01","payloads":[{"name":"SA","fields":[{"name":"x"}]}]}}`))
	f.Add([]byte(`{"t":1,"kind":"sa.added","data":{"spi":4096}}` + "\n" + `{"t":2,"kind":"link.changed","data":{"loss":0.5}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		events, _ := Read(bytes.NewReader(file))
		var again bytes.Buffer
		log := New(&again)
		for _, e := range events {
			log.Record(e.At, e.Node, e.Body)
		}
		require.NoError(t, log.Err())
		var third bytes.Buffer
		back, err := Read(io.TeeReader(&again, &third))
		require.NoError(t, err)
		require.Len(t, back, len(events))
		log = New(&again)
		for _, e := range back {
			log.Record(e.At, e.Node, e.Body)
		}
		require.Equal(t, third.String(), again.String(), "what was written reads and writes the same")
	})
}

// The line of an event is what encoding/json makes of its parts, whatever is in them.
func TestLineIsJSON(t *testing.T) {
	for _, e := range []Event{
		{At: 1500, Node: "a", Body: Application{App: "x <&> \u2028 \x00 \"", Bytes: 7}},
		{At: -1, Node: "<n&\"\xff>", Body: IKEMessage{CookieI: Hex{1, 2}, Payloads: []Field{{Name: "a", Fields: []Field{{Name: "b"}}}}}},
		{Body: Violation{}},
	} {
		data, err := json.Marshal(e.Body)
		require.NoError(t, err)
		want, err := json.Marshal(wire{T: int64(e.At), Node: e.Node, Kind: e.Body.Kind(), Data: data})
		require.NoError(t, err)
		var b bytes.Buffer
		l := New(&b)
		l.Record(e.At, e.Node, e.Body)
		l.Record(e.At, e.Node, e.Body)
		require.NoError(t, l.Err())
		require.Equal(t, string(want)+"\n"+string(want)+"\n", b.String())
		got, err := json.Marshal(e)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
}

func BenchmarkRecord(b *testing.B) {
	b.ReportAllocs()
	body := Inner{Frame: 7, Protocol: "ESP", SPI: 0x12345678, Sequence: 9, Length: 1400, Packet: "tcp 10.0.0.1:1025 > 10.0.0.2:445", Data: make(Hex, InnerLimit)}
	l := New(io.Discard)
	for b.Loop() {
		l.Record(0, "client", body)
		l.events = l.events[:0]
	}
}
