package main

// interopCmd is the group of commands about real peers, one line for each.
type interopCmd struct {
	Images interopImagesCmd `cmd:"" help:"Build the images that real peers run in."`
}
