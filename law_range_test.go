package ipseclab_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Ranging over a map goes in another order on every run. A loop over a map is
// recognised as harmless when its body only
//
//   - appends to slices that the function sorts afterwards,
//   - sets entries of another map at the loop's key, or
//   - deletes from a map.
//
// maps.Keys, maps.Values and maps.All are harmless as an argument of a function
// that sorts or collects into a map. Any other loop stands here, as
// "file function", with the reason why nobody can see its order.
var orderless = map[string]string{
	"esp/hold.go Pipeline.AcquiringFor":             "asks whether there is one",
	"scenarios/oracle_response.go agreements.cover": "asks whether there is one",
	"ike/transform_mainmode.go readMainMode":        "finds the one name of a value",
	"natbox/change.go Router.Reboot":                "stops timers",
	"natbox/neighbour.go iface.addNeighbour":        "finds a minimum, ties broken by address",
}

func TestNothingDependsOnTheOrderOfMaps(t *testing.T) {
	im := &importer{fset: token.NewFileSet(), done: map[string]*checked{}}
	unused := make(map[string]bool)
	for where := range orderless {
		unused[where] = true
	}
	for _, tree := range worldTrees {
		for _, dir := range goDirs(t, tree) {
			pkg := im.check(module + "/" + dir)
			require.NoError(t, pkg.err)
			for _, r := range mapRanges(im.fset, pkg) {
				if _, ok := orderless[r.where]; ok {
					delete(unused, r.where)
					continue
				}
				t.Errorf("%s: ranges over the map %s, and its order may be seen; sort the keys, or give the reason as %q in law_range_test.go",
					r.at, r.what, r.where)
			}
		}
	}
	require.Empty(t, unused, "stale entries of orderless")
}

func TestMapRangesAreFound(t *testing.T) {
	const head = `package p
import ("maps"; "slices"; "sort"; "x/y")
type set map[string]int
type T struct{ m map[string]y.T; s set }
func use(...any) {}
func (t *T) f(keys, other []string, n map[string]int) {
`
	for _, tc := range []struct {
		name, body string
		want       []string // "line: what"
	}{
		{"a slice", "for range keys { use() }", nil},
		{"a map", "for k := range n { use(k) }", []string{"7: n"}},
		{"a field", "for k := range t.m { use(k) }", []string{"7: t.m"}},
		{"a named map", "for k := range t.s { use(k) }", []string{"7: t.s"}},
		{"a map made here", "m := map[y.T]bool{}\nfor k := range m { use(k) }", []string{"8: m"}},
		{"in a closure", "use(func() { for k := range n { use(k) } })", []string{"7: n"}},
		{"collected and sorted", "for k := range n { keys = append(keys, k) }\nslices.Sort(keys)", nil},
		{"collected, filtered and sorted", "for k, v := range n { if v > 1 { keys = append(keys, k) } }\nsort.Strings(keys)", nil},
		{"collected", "for k := range n { keys = append(keys, k) }", []string{"7: n"}},
		{"collected, another one sorted", "for k := range n { keys = append(keys, k) }\nslices.Sort(other)", []string{"7: n"}},
		{"sorted before", "slices.Sort(keys)\nfor k := range n { keys = append(keys, k) }", []string{"8: n"}},
		{"copied", "for k, v := range n { t.s[k] = v }", nil},
		{"copied to another key", "for k, v := range n { t.s[keys[v]] = len(k) }", []string{"7: n"}},
		{"deleted", "for k := range n { if k != \"\" { delete(t.s, k) } }", nil},
		{"sorted keys", "for _, k := range slices.Sorted(maps.Keys(n)) { use(k) }", nil},
		{"keys", "for k := range maps.Keys(n) { use(k) }", []string{"7: maps.Keys(n)"}},
		{"collected keys", "use(slices.Collect(maps.Keys(n)))", []string{"7: maps.Keys(n)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			im := &importer{fset: token.NewFileSet(), done: map[string]*checked{}}
			file, err := parser.ParseFile(im.fset, "p/p.go", head+tc.body+"\n}\n", parser.SkipObjectResolution)
			require.NoError(t, err)
			var got []string
			for _, r := range mapRanges(im.fset, im.checkFiles("p", []*ast.File{file})) {
				require.Equal(t, "p/p.go T.f", r.where)
				got = append(got, fmt.Sprintf("%d: %s", r.at.Line, r.what))
			}
			require.Equal(t, tc.want, got)
		})
	}
}

// mapRange is a loop over a map.
type mapRange struct {
	at    token.Position
	what  string // the map, as written
	where string // "file function"
}

// mapRanges are the loops of a package over maps whose order may be seen.
func mapRanges(fset *token.FileSet, pkg *checked) []mapRange {
	var out []mapRange
	for _, file := range pkg.files {
		for _, decl := range file.Decls {
			found := func(e ast.Expr) {
				at := fset.Position(e.Pos())
				out = append(out, mapRange{at, types.ExprString(e), filepath.ToSlash(at.Filename) + " " + declName(decl)})
			}
			harmless := map[ast.Expr]bool{}
			ast.Inspect(decl, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.RangeStmt:
					if t := pkg.info.TypeOf(n.X); t != nil {
						if _, ok := t.Underlying().(*types.Map); ok && !orderHidden(decl, n) {
							found(n.X)
						}
					}
				case *ast.CallExpr:
					switch callee(n) {
					case "slices.Sorted", "slices.SortedFunc", "slices.SortedStableFunc", "maps.Collect", "maps.Insert":
						for _, arg := range n.Args {
							harmless[arg] = true
						}
					case "maps.Keys", "maps.Values", "maps.All":
						if !harmless[n] {
							found(n)
						}
					}
				}
				return true
			})
		}
	}
	return out
}

// orderHidden reports whether the body of a loop over a map does nothing in which its order shows.
func orderHidden(decl ast.Decl, loop *ast.RangeStmt) bool {
	key, _ := loop.Key.(*ast.Ident)
	var statement func(s ast.Stmt) bool
	block := func(list []ast.Stmt) bool {
		return !slices.ContainsFunc(list, func(s ast.Stmt) bool { return !statement(s) })
	}
	statement = func(s ast.Stmt) bool {
		switch s := s.(type) {
		case *ast.BranchStmt:
			return s.Tok == token.CONTINUE
		case *ast.IfStmt:
			return s.Init == nil && s.Else == nil && block(s.Body.List)
		case *ast.ExprStmt:
			call, ok := s.X.(*ast.CallExpr)
			return ok && callee(call) == "delete"
		case *ast.AssignStmt:
			if len(s.Lhs) != 1 || s.Tok != token.ASSIGN {
				return false
			}
			if at, ok := s.Lhs[0].(*ast.IndexExpr); ok {
				id, ok := at.Index.(*ast.Ident)
				return ok && key != nil && id.Name == key.Name
			}
			call, ok := s.Rhs[0].(*ast.CallExpr)
			return ok && callee(call) == "append" && sortedAfter(decl, loop.End(), types.ExprString(s.Lhs[0]))
		}
		return false
	}
	return block(loop.Body.List)
}

// sortedAfter reports whether the declaration sorts a slice behind a position.
func sortedAfter(decl ast.Decl, pos token.Pos, slice string) bool {
	found := false
	ast.Inspect(decl, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && call.Pos() > pos && len(call.Args) > 0 && types.ExprString(call.Args[0]) == slice {
			found = found || slices.Contains([]string{
				"slices.Sort", "slices.SortFunc", "slices.SortStableFunc",
				"sort.Strings", "sort.Ints", "sort.Slice", "sort.SliceStable",
			}, callee(call))
		}
		return true
	})
	return found
}

// callee is the function of a call as written, without type arguments.
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.IndexExpr:
		return types.ExprString(f.X)
	case *ast.IndexListExpr:
		return types.ExprString(f.X)
	}
	return types.ExprString(call.Fun)
}

// declName is "function", "Type.method", or the first name of another declaration.
func declName(decl ast.Decl) string {
	f, ok := decl.(*ast.FuncDecl)
	if !ok {
		return "declaration"
	}
	if f.Recv == nil {
		return f.Name.Name
	}
	recv := f.Recv.List[0].Type
	if star, ok := recv.(*ast.StarExpr); ok {
		recv = star.X
	}
	name, _, _ := strings.Cut(types.ExprString(recv), "[")
	return name + "." + f.Name.Name
}

// importer type-checks the module's own packages, as far as that goes without
// those of others, which it takes for empty: enough to tell which of our
// variables, fields and results are maps.
type importer struct {
	fset *token.FileSet
	done map[string]*checked
}

type checked struct {
	files []*ast.File
	types *types.Package
	info  types.Info
	err   error
}

// Import makes *importer a types.Importer.
func (im *importer) Import(p string) (*types.Package, error) {
	if below(p, module) {
		c := im.check(p)
		return c.types, c.err
	}
	empty := types.NewPackage(p, path.Base(p))
	empty.MarkComplete()
	return empty, nil
}

func (im *importer) check(p string) *checked {
	if c := im.done[p]; c != nil {
		return c
	}
	dir := strings.TrimPrefix(p, module+"/")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return &checked{err: err}
	}
	var files []*ast.File
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			file, err := parser.ParseFile(im.fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return &checked{err: err}
			}
			files = append(files, file)
		}
	}
	c := im.checkFiles(p, files)
	im.done[p] = c
	return c
}

func (im *importer) checkFiles(p string, files []*ast.File) *checked {
	c := &checked{files: files, info: types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}}
	conf := types.Config{Importer: im, Error: func(error) {}} // what the empty packages lack
	c.types, _ = conf.Check(p, im.fset, files, &c.info)
	return c
}

// goDirs are the folders of a tree that hold Go files, sorted.
func goDirs(t *testing.T, tree string) []string {
	t.Helper()
	var out []string
	for _, f := range goFiles(t, tree) {
		out = append(out, filepath.ToSlash(filepath.Dir(f)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
