package ipseclab_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// secretTrees compare what an attacker may try to guess: hashes, keys, check values.
var secretTrees = []string{"ike", "esp", "internal/suite", "internal/pki", "internal/scep"}

// secretNames are what such things are called.
var secretNames = regexp.MustCompile(`(?i)hash|psk|preshared|secret|icv|digest|hmac|\bmac\b|skeyid|signature`)

// Comparisons that stop at the first difference, and so tell by their time how far a guess was right.
var hasty = map[string][]string{"bytes": {"Equal", "Compare", "HasPrefix"}, "slices": {"Equal", "Compare"}, "reflect": {"DeepEqual"}, "strings": {"Compare", "EqualFold"}}

func TestSecretsAreComparedInConstantTime(t *testing.T) {
	fset := token.NewFileSet()
	for _, tree := range secretTrees {
		for _, name := range goFiles(t, tree) {
			file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, offence := range hastyComparisons(fset, file) {
				t.Error(offence)
			}
		}
	}
}

func TestHastyComparisonsAreFound(t *testing.T) {
	for code, found := range map[string]bool{
		"bytes.Equal(got.Hash, want)":          true,
		"bytes.Equal(x, k.hash.PRF(a))":        true,
		"slices.Equal(psk, other)":             true,
		"string(icv) == string(want)":          true,
		"string(hash.Data) != theirs":          true,
		"bytes.Equal(m.raw, sa.heardLast)":     false,
		"hmac.Equal(got.Hash, want)":           false,
		"p.Hash == other.Hash":                 false, // names of algorithms
		"string(spi) == string(sa.spi())":      false,
		"strings.EqualFold(u.secret, v)":       true,
		"bytes.Compare(skeyid, other) == 0":    true,
		"string(sum.Digest()) == string(want)": true,
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "planted.go", "package p\nvar _ = "+code, parser.SkipObjectResolution)
		require.NoError(t, err)
		require.Equal(t, found, len(hastyComparisons(fset, file)) > 0, code)
	}
}

func hastyComparisons(fset *token.FileSet, file *ast.File) (offences []string) {
	text := func(n ast.Node) string {
		var b bytes.Buffer
		_ = printer.Fprint(&b, fset, n)
		return b.String()
	}
	offence := func(n ast.Node) {
		offences = append(offences, fmt.Sprintf("%v: %s takes a time that tells how far they agree: use hmac.Equal", fset.Position(n.Pos()), text(n)))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			f, ok := n.Fun.(*ast.SelectorExpr)
			if !ok {
				break
			}
			if p, ok := f.X.(*ast.Ident); ok && slices.Contains(hasty[p.Name], f.Sel.Name) && slices.ContainsFunc(n.Args, func(a ast.Expr) bool { return secretNames.MatchString(text(a)) }) {
				offence(n)
			}
		case *ast.BinaryExpr:
			converted := func(e ast.Expr) bool {
				call, ok := e.(*ast.CallExpr)
				if !ok {
					return false
				}
				f, ok := call.Fun.(*ast.Ident)
				return ok && f.Name == "string" && secretNames.MatchString(text(call))
			}
			if (n.Op == token.EQL || n.Op == token.NEQ) && (converted(n.X) || converted(n.Y)) {
				offence(n)
			}
		}
		return true
	})
	return offences
}
