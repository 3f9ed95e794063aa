package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ipseclab/ipseclab/interop/images"
)

type interopImagesCmd struct {
	Names          []string `arg:"" optional:"" name:"image" help:"Images to build; none: all."`
	Cache          string   `env:"IPSECLAB_CACHE" placeholder:"DIR" help:"Folder of images and packages; default: ipseclab in the user's cache."`
	Mirror         string   `default:"${mirror}" placeholder:"URL" help:"Debian's archive; default: ${default}."`
	SecurityMirror string   `default:"${securityMirror}" placeholder:"URL" help:"Debian's security archive; default: ${default}."`
	Jobs           int      `default:"8" help:"Packages fetched at a time."`
	Locked         bool     `xor:"lock" help:"Fail when a package that the lock names has gone from the mirror; else take the newer one, and say so."`
	UpdateLock     bool     `xor:"lock" help:"Write the lock anew with the newest packages, and build nothing."`
	Lock           string   `default:"interop/images/images.lock" help:"The file that --update-lock writes, in the source tree."`
}

func (c interopImagesCmd) Run(ctx context.Context, s streams) error {
	b, err := images.NewBuilder(c.Cache, func(line string) { fmt.Fprintln(s.err, "images:", line) })
	if err != nil {
		return err
	}
	b.Mirror = images.Mirror{Debian: c.Mirror, Security: c.SecurityMirror}
	b.Jobs, b.Locked = c.Jobs, c.Locked
	if c.UpdateLock {
		return c.update(ctx, s, b)
	}
	names := c.Names
	if len(names) == 0 {
		for _, p := range images.Profiles() {
			names = append(names, p.Name)
		}
	}
	for _, name := range names {
		if _, ok := images.Named(name); !ok {
			return wrong("images: no image is called %q: there are %v", name, images.Names())
		}
	}
	for _, name := range names {
		if _, err := b.Build(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (c interopImagesCmd) update(ctx context.Context, s streams, b *images.Builder) error {
	if _, err := os.Stat(filepath.Dir(c.Lock)); err != nil {
		return wrong("images: --update-lock is for the source tree: %w; start it at the root of the module, or name the file with --lock", err)
	}
	old, err := images.Committed()
	if err != nil {
		return err
	}
	lock, err := b.Resolve(ctx)
	if err != nil {
		return err
	}
	if err := images.WriteLock(c.Lock, lock); err != nil {
		return err
	}
	for _, now := range lock.Sections {
		before, _ := old.Of(now.Image)
		for _, change := range images.Changes(before, now) {
			fmt.Fprintf(s.out, "%s: %s\n", now.Image, change)
		}
	}
	return nil
}
