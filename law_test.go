package ipseclab_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// A world gives the same packets for the same seed only if nothing in it reads
// another clock or another source of chance. These trees hold what runs in a world.
var worldTrees = []string{"sim", "hosts", "ike", "esp", "natbox", "scenarios", "internal"}

// Where an offence is somebody's job: files, and folders with all below them.
var allowedIn = map[string][]string{
	wallClock:  {"sim/clock.go", "sim/wall.go"},
	anyChannel: {"sim/wall.go"},
	machine:    {"scenarios/", "internal/wireshark/", "internal/needs/"}, // scenario files, evidence, tools of tests
}

const (
	wallClock  = "reads the machine's clock"
	chance     = "draws from the machine's randomness"
	ownSeed    = "ignores the reader that it is given, since Go 1.26"
	goroutine  = "starts a goroutine, whose turn the machine decides"
	anyChannel = "selects among several channels, which Go does at random"
	machine    = "reaches the machine's files, network or processes"
	dotImport  = "hides where its names come from"
)

// Names of a package whose use is an offence; the empty name is the import itself.
var offending = map[string]map[string]string{
	"time": {
		"Now": wallClock, "Since": wallClock, "Until": wallClock, "Sleep": wallClock, "After": wallClock, "AfterFunc": wallClock,
		"NewTimer": wallClock, "NewTicker": wallClock, "Tick": wallClock, "Local": wallClock,
	},
	"context": {
		"WithTimeout": wallClock, "WithTimeoutCause": wallClock, "WithDeadline": wallClock, "WithDeadlineCause": wallClock,
	},
	"os":           {"": machine},
	"os/exec":      {"": machine},
	"net":          {"": machine},
	"net/http":     {"": machine},
	"syscall":      {"": machine},
	"crypto/rand":  {"": chance},
	"hash/maphash": {"": chance},
	"crypto/rsa":   {"GenerateKey": ownSeed},
	"crypto/ecdsa": {"GenerateKey": ownSeed},
	"crypto/ecdh":  {"Curve.GenerateKey": ownSeed}, // of any value in the file: its type is not looked up
}

// What math/rand and math/rand/v2 offer that is seeded by the caller. All else is global.
var seeded = []string{
	"New", "NewSource", "NewZipf", "NewPCG", "NewChaCha8", "Rand", "Source", "Source64", "Zipf", "PCG", "ChaCha8",
}

func TestWorldsHaveNoOtherClockOrChance(t *testing.T) {
	fset := token.NewFileSet()
	for _, tree := range worldTrees {
		for _, name := range goFiles(t, tree) {
			file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, offence := range offences(fset, file) {
				t.Error(offence)
			}
		}
	}
}

func TestOffencesAreFound(t *testing.T) {
	for _, tc := range []struct {
		name, file, imports, body string
		want                      []string
	}{
		{"a pure function", "esp/x.go", `"time"`, "_ = time.Duration(3) * time.Second", nil},
		{"the time", "esp/x.go", `"time"`, "_ = time.Now()", []string{"esp/x.go:3: time.Now " + wallClock}},
		{"the time as a value", "esp/x.go", `"time"`, "f := time.Now; _ = f", []string{"esp/x.go:3: time.Now " + wallClock}},
		{"under another name", "ike/x.go", `clock "time"`, "<-clock.After(1)", []string{"ike/x.go:3: time.After " + wallClock}},
		{"where the clock is", "sim/clock.go", `"time"`, "_ = time.Now()", nil},
		{"a field called time", "esp/x.go", "", "var time struct{ Now int }; _ = time.Now", nil},
		{"a deadline", "hosts/x.go", `"context"`, "context.WithTimeout(nil, 1)", []string{"hosts/x.go:3: context.WithTimeout " + wallClock}},
		{"global numbers", "sim/rand.go", `"math/rand/v2"`, "rand.IntN(3)", []string{"sim/rand.go:3: math/rand/v2.IntN " + chance}},
		{"global numbers, old", "sim/x.go", `"math/rand"`, "rand.Intn(3)", []string{"sim/x.go:3: math/rand.Intn " + chance}},
		{"numbers from a seed", "sim/x.go", `"math/rand/v2"`, "var r *rand.Rand = rand.New(rand.NewChaCha8([32]byte{})); r.IntN(3)", nil},
		{"the machine's randomness", "ike/x.go", `"crypto/rand"`, "", []string{"ike/x.go:1: crypto/rand " + chance}},
		{"a key from nowhere", "ike/x.go", `"crypto/ecdsa"`, "ecdsa.GenerateKey(nil, nil)", []string{"ike/x.go:3: crypto/ecdsa.GenerateKey " + ownSeed}},
		{"a curve key from nowhere", "ike/x.go", `"crypto/ecdh"`, "ecdh.P256().GenerateKey(nil)", []string{"ike/x.go:3: crypto/ecdh Curve.GenerateKey " + ownSeed}},
		{"a curve key from bytes", "ike/x.go", `"crypto/ecdh"`, "ecdh.P256().NewPrivateKey(nil)", nil},
		{"a key of ours", "ike/x.go", `"crypto/hmac"`, "group.GenerateKey(nil)", nil},
		{"a dot", "ike/x.go", `. "time"`, "", []string{"ike/x.go:1: import . \"time\" " + dotImport}},
		{"a goroutine", "natbox/x.go", "", "go func() {}()", []string{"natbox/x.go:3: go " + goroutine}},
		{"a file", "hosts/x.go", `"os"`, "", []string{"hosts/x.go:1: os " + machine}},
		{"a socket", "ike/x.go", `"net"`, "", []string{"ike/x.go:1: net " + machine}},
		{"a file of evidence", "scenarios/x.go", `"os"`, "", nil},
		{"one channel", "sim/x.go", "", "select { case <-a: default: }", nil},
		{"two channels", "sim/x.go", "", "select { case <-a: case b <- 1: }", []string{"sim/x.go:3: select " + anyChannel}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := "package p; import (" + tc.imports + ")\nfunc f(a, b chan int) {\n" + tc.body + "\n}\n"
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, tc.file, src, parser.SkipObjectResolution)
			require.NoError(t, err)
			require.Equal(t, tc.want, offences(fset, file))
		})
	}
}

// offences are the places of a file that break the law of worlds, as "file:line: what why".
func offences(fset *token.FileSet, file *ast.File) []string {
	var out []string
	report := func(n ast.Node, what, why string) {
		at := fset.Position(n.Pos())
		if !slices.ContainsFunc(allowedIn[why], func(where string) bool {
			name := filepath.ToSlash(at.Filename)
			return name == where || strings.HasSuffix(where, "/") && strings.HasPrefix(name, where)
		}) {
			out = append(out, fmt.Sprintf("%s:%d: %s %s", at.Filename, at.Line, what, why))
		}
	}
	imported := map[string]string{} // local name: path
	curves := false
	for _, s := range file.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			continue // the compiler says so better
		}
		global := strings.HasPrefix(p, "math/rand")
		if !global && offending[p] == nil {
			continue
		}
		if why, ok := offending[p][""]; ok {
			report(s, p, why)
		}
		name := path.Base(strings.TrimSuffix(p, "/v2"))
		if s.Name != nil {
			name = s.Name.Name
		}
		if name == "." {
			report(s, "import . "+s.Path.Value, dotImport)
		}
		imported[name] = p
		curves = curves || p == "crypto/ecdh"
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n, "go", goroutine)
		case *ast.SelectStmt:
			channels := 0
			for _, c := range n.Body.List {
				if c.(*ast.CommClause).Comm != nil {
					channels++
				}
			}
			if channels > 1 {
				report(n, "select", anyChannel)
			}
		case *ast.SelectorExpr:
			p := ""
			if x, ok := n.X.(*ast.Ident); ok {
				p = imported[x.Name]
			}
			if p == "" {
				if why := offending["crypto/ecdh"]["Curve."+n.Sel.Name]; curves && why != "" {
					report(n, "crypto/ecdh Curve."+n.Sel.Name, why)
				}
				break
			}
			why := offending[p][n.Sel.Name]
			if strings.HasPrefix(p, "math/rand") && !slices.Contains(seeded, n.Sel.Name) {
				why = chance
			}
			if why != "" {
				report(n, p+"."+n.Sel.Name, why)
			}
		}
		return true
	})
	return out
}

// goFiles are the files of a tree that become part of a program, sorted.
func goFiles(t *testing.T, tree string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(tree, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go") {
			out = append(out, p)
		}
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, out, "no Go files in %s", tree)
	return out
}

// What no file of the repository says. The words are put together here so that this file does not say them.
var unsaid = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`(^|[^\w.~$})/-])/(` + `work|root|home|Users)/[\w.-]`), "a path of somebody's machine"},
	{regexp.MustCompile(`(?i)proxy\.` + `golang\.org|sum\.` + `golang\.org|GO` + `PROXY|arti` + `factory|pypi\.` + `org|registry\.npm` + `js`), "a package proxy, which is the machine's affair"},
}

func TestTextsAreOfNoMachine(t *testing.T) {
	ignored := ignore(t)
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || ignored(p, true)):
			return fs.SkipDir
		case !d.Type().IsRegular() || d.Name() == ".git" || ignored(p, false): // .git is a file in a worktree of git
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, offence := range textOffences(p, text) {
			t.Error(offence)
		}
		return nil
	})
	require.NoError(t, err)
}

func TestTextOffencesAreFound(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"see docs/work/x and https://example.org/root/x, ./work/a, $TMP/root/x", nil},
		{"\x00 /" + "work/x", nil}, // not a text
		{"first\nopen /" + "work/main.go", []string{"f:2: a path of somebody's machine: open /" + "work/main.go"}},
		{"`/" + "root/go`", []string{"f:1: a path of somebody's machine: `/" + "root/go`"}},
		{"export GO" + "PROXY=off", []string{"f:1: a package proxy, which is the machine's affair: export GO" + "PROXY=off"}},
	} {
		require.Equal(t, tc.want, textOffences("f", []byte(tc.text)), tc.text)
	}
}

// textOffences are the lines of a text that say what must not be said; other files have none.
func textOffences(name string, b []byte) []string {
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return nil
	}
	var out []string
	for i, line := range strings.Split(string(b), "\n") {
		for _, u := range unsaid {
			if u.pattern.MatchString(line) {
				out = append(out, fmt.Sprintf("%s:%d: %s: %.120s", name, i+1, u.why, strings.TrimSpace(line)))
			}
		}
	}
	return out
}

// ignore reads .gitignore, whose patterns this repository keeps to those that
// path.Match knows: "/name" at the root, "name" anywhere, and "/" at the end for folders.
func ignore(t *testing.T) func(p string, dir bool) bool {
	t.Helper()
	b, err := os.ReadFile(".gitignore")
	require.NoError(t, err)
	var patterns []string
	for _, line := range strings.Split(string(b), "\n") {
		if line != "" && line[0] != '#' {
			patterns = append(patterns, line)
		}
	}
	return func(p string, dir bool) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			pattern, folder := strings.CutSuffix(pattern, "/")
			subject := path.Base(filepath.ToSlash(p))
			if rooted, ok := strings.CutPrefix(pattern, "/"); ok {
				pattern, subject = rooted, filepath.ToSlash(p)
			}
			ok, err := path.Match(pattern, subject)
			require.NoError(t, err, ".gitignore: %s", pattern)
			return ok && (dir || !folder)
		})
	}
}
