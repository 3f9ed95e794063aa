package reports

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
)

//go:embed assets
var assets embed.FS

// asset is an embedded file; all of them are there or the package does not build its tests.
func asset(name string) string {
	b, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err)
	}
	return string(b)
}

var (
	style  = asset("style.css")
	script = asset("script.js")
	// matrixScript is that of the heat map alone.
	matrixScript = asset("matrix.js")
	// contentPolicy lets a page run its own scripts and nothing else, and load nothing.
	contentPolicy = func() string {
		policy := "default-src 'none'; style-src 'unsafe-inline'; script-src"
		for _, s := range []string{script, matrixScript} {
			sum := sha256.Sum256([]byte(s))
			policy += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
		return policy
	}()
)

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"clock":  clock,
	"span":   span,
	"count":  func(n int) string { return count(n) },
	"plural": func(n int, noun string) string { return plural(n, noun) },
	"style":  func() template.CSS { return template.CSS(style) },
	"script": func() template.JS { return template.JS(script) },
	"policy": func() string { return contentPolicy },

	"matrixScript": func() template.JS { return template.JS(matrixScript) },
	"count64":      func(n uint64) string { return count(n) },
	"size64":       func(n uint64) string { return size(n) },
	// a verdict as the name of a class
	"verdict": func(v string) string { return strings.ReplaceAll(v, " ", "-") },
	"add":     func(a, b int) int { return a + b },
}).ParseFS(assets, "assets/*.html"))

func render(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("reports: rendering %s: %w", name, err)
	}
	return b.Bytes(), nil
}
