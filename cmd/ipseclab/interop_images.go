package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

type interopImagesCmd struct {
	Names []string `arg:"" optional:"" name:"image" help:"Images to build; none: all of them, and the agent."`
	List  bool     `help:"List the images and where they are, and build nothing."`
	Cache string   `env:"IPSECLAB_CACHE" placeholder:"DIR" help:"Folder of images and packages. None: ipseclab in the user's cache."`

	Mirror         string `default:"${mirror}" placeholder:"URL" help:"Debian's archive. Default: ${default}."`
	SecurityMirror string `default:"${securityMirror}" placeholder:"URL" help:"Debian's security archive. Default: ${default}."`
	Jobs           int    `default:"8" help:"Packages fetched at a time."`

	Locked     bool   `xor:"lock" help:"Fail when a package that the lock names has gone from the mirror; else take the newer one, and say so."`
	UpdateLock bool   `xor:"lock" help:"Write the lock anew with the newest packages, and build nothing."`
	Lock       string `default:"interop/images/images.lock" placeholder:"FILE" help:"What --update-lock writes. Default: interop/images/images.lock."`

	Docker     string `enum:"auto,always,never" default:"auto" help:"Import the images into Docker: auto (where a daemon answers), always or never."`
	FromDocker string `xor:"from" placeholder:"TAG" help:"Take the one image that is named from this image of Docker, in place of the packages of the lock."`
	FromLock   bool   `xor:"from" help:"Make images that were taken from Docker by the lock again."`
	Agent      bool   `negatable:"" default:"true" help:"Build the program that runs inside peers."`
}

func (interopImagesCmd) Help() string {
	return `An image is the root filesystem of a real peer, made of Debian packages that the lock file pins by
SHA-256. They are fetched, checked and unpacked into the cache; what is there is not made again. Neither
root nor a registry is needed, and of Debian's tools none. HTTP_PROXY is honoured.

When a package has gone from the mirror, the newest one takes its place with a warning, and the lock that
was used is in images.lock.new in the cache.

Examples

  ipseclab interop images
  ipseclab interop images strongswan-5.9 --docker never
  ipseclab interop images strongswan-5.9 --from-docker registry.example/strongswan:6.0`
}

func (c interopImagesCmd) Run(ctx context.Context, s streams) error {
	all := images.Profiles()
	for _, name := range c.Names {
		if _, ok := images.Named(name); !ok {
			return wrong("images: no image is called %q%s", name, spec.Among(name, images.Names()))
		}
	}
	if c.FromDocker != "" && len(c.Names) != 1 {
		return wrong("images: --from-docker is for one image: name it, such as strongswan-5.9")
	}
	if c.List {
		return c.list(s, all)
	}
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
		for _, p := range all {
			names = append(names, p.Name)
		}
	} else if !slices.Contains(names, images.Kernel) { // which all run on
		names = append(slices.Clone(names), images.Kernel)
	}
	if c.FromLock {
		for _, name := range names {
			if err := b.GoBack(name); err != nil {
				return err
			}
		}
	}
	if c.FromDocker != "" {
		if _, err := b.Take(ctx, names[0], c.FromDocker); err != nil {
			return err
		}
	}
	if _, err := b.BuildAll(ctx, names); err != nil {
		return err
	}
	if c.Agent {
		if _, err := images.BuildAgent(ctx, b.AgentFolder()); err != nil {
			return err
		}
	}
	return c.load(ctx, s, b.Cache, names)
}

// load imports images into Docker.
func (c interopImagesCmd) load(ctx context.Context, s streams, cache string, names []string) error {
	if c.Docker == "never" {
		return nil
	}
	store, err := images.Open(cache)
	if err != nil {
		return err
	}
	for _, name := range names {
		if p, _ := images.Named(name); p.Kernel {
			continue
		}
		tag, err := store.DockerImage(ctx, name)
		switch {
		case errors.Is(err, images.ErrNoDocker) && c.Docker == "auto":
			fmt.Fprintf(s.err, "images: not imported into Docker: %v\n", err)
			return nil
		case err != nil:
			return err
		}
		fmt.Fprintf(s.err, "images: %s is %s in Docker\n", name, tag)
	}
	return nil
}

// list prints the images with the versions of their daemons and where they are.
func (c interopImagesCmd) list(s streams, all []images.Profile) error {
	store, err := images.Open(c.Cache)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, p := range all {
		info, dir, err := store.Find(p.Name)
		if errors.Is(err, images.ErrNotBuilt) {
			fmt.Fprintf(w, "%s\t%s\tnot built\n", p.Name, p.Title)
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s %s\t%s\n", p.Name, p.Title, p.Main, info.DaemonVersion(), dir)
	}
	return w.Flush()
}

// update writes the lock of the source tree anew.
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
	changed := false
	for _, now := range lock.Sections {
		before, _ := old.Of(now.Image)
		for _, change := range images.Changes(before, now) {
			fmt.Fprintf(s.out, "%s: %s\n", now.Image, change)
			changed = true
		}
	}
	if !changed {
		fmt.Fprintln(s.out, "nothing has changed")
	}
	return nil
}
