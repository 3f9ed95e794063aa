package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/interop/matrix"
)

// interopProgress shows how a run of the matrix goes on: as progress does for scenarios.
type interopProgress struct {
	lines io.Writer
	width int                      // of the longest name
	bar   *progressbar.ProgressBar // nil: no terminal
}

func newInteropProgress(lines, stderr io.Writer, cells []matrix.Cell, drivers []matrix.Driver) *interopProgress {
	p, n := &interopProgress{lines: lines}, 0
	for _, c := range cells {
		if slices.Contains(drivers, c.Driver) {
			p.width = max(p.width, len([]rune(c.String())))
			n++
		}
	}
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = newBar(stderr, n, "cells")
	}
	return p
}

// cell shows that one has its result. What cases.yaml leaves out and what an earlier run had passed are only counted.
func (p *interopProgress) cell(c result.MatrixCell, kept bool) {
	quiet := c.Kind == result.KindPassed && (kept || p.bar != nil) || c.Kind == result.KindUnsupported && c.Dir == ""
	if p.bar != nil {
		p.bar.Clear() // a progress line that cannot be drawn is no reason to stop
		defer p.bar.Add(1)
	}
	if quiet {
		return
	}
	text := c.ID
	if id, err := matrix.ParseName(c.ID); err == nil {
		text = id.String()
	}
	took := rounded(c.Wall).String()
	if kept {
		took = "kept"
	}
	fmt.Fprintf(p.lines, "%-15s  %-*s  %s\n", c.Kind, p.width, text, took)
	if c.Reason != "" {
		fmt.Fprintf(p.lines, "                 %s\n", strings.ReplaceAll(c.Reason, "\n", "\n                 "))
	}
	if c.Expected != nil {
		fmt.Fprintf(p.lines, "                 accepted failure: %s (%s)\n", c.Expected.Reason, c.Expected.Note)
	}
}

// end removes the moving line.
func (p *interopProgress) end() {
	if p.bar != nil {
		p.bar.Finish()
	}
}
