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

// help prints kong's help, then the command's examples.
func help(options kong.HelpOptions, c *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, c); err != nil {
		return err
	}
	node := c.Selected()
	if node == nil || !node.Target.CanAddr() {
		return nil
	}
	e, ok := node.Target.Addr().Interface().(exampled)
	if !ok {
		return nil
	}
	_, err := fmt.Fprintf(c.Stdout, "\nExamples:\n%s", indent(e.Examples()))
	return err
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
