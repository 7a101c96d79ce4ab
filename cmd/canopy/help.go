package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"canopy/configs/source"
)

// exampled is a command that has examples to show in its help.
type exampled interface{ Examples() string }

// help prints kong's help, then the command's examples, or that of canopy as a
// whole with what its exit status means.
func help(options kong.HelpOptions, c *kong.Context) error {
	node := c.Selected()
	for _, f := range c.Model.Flags {
		// Every command has it, but it is not about any.
		f.Hidden = f.Name == "version" && node != nil
	}
	if err := kong.DefaultHelpPrinter(options, c); err != nil {
		return err
	}
	if node == nil {
		_, err := fmt.Fprintf(c.Stdout, "\nExit status: %d done, %d failed, %d wrong usage or configuration.\n", done, failed, misuse)
		return err
	}
	text := examples(node)
	if text == "" {
		return nil
	}
	_, err := fmt.Fprintf(c.Stdout, "\nExamples:\n%s", indent(text))
	return err
}

// examples are those of a command, "" if it has none.
func examples(node *kong.Node) string {
	if node.Target.CanAddr() {
		if e, ok := node.Target.Addr().Interface().(exampled); ok {
			return e.Examples()
		}
	}
	return ""
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		b.WriteString("  " + line)
	}
	return b.String()
}

// complaint is an error as it goes to standard error: lines that already say
// which file they are about stand for themselves.
func complaint(err error) string {
	var problems source.Problems
	if errors.As(err, &problems) {
		return problems.Error()
	}
	return "canopy: " + err.Error()
}
