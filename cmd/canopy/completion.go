package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// completion prints a completion script.
type completion struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Examples are shown in the help.
func (completion) Examples() string {
	return `
canopy completion bash > /etc/bash_completion.d/canopy
canopy completion zsh > "${fpath[1]}/_canopy"
canopy completion fish > ~/.config/fish/completions/canopy.fish
`
}

// Run prints the script for the shell.
func (c completion) Run(w *world) error {
	var script string
	switch c.Shell {
	case "bash":
		script = bash(w.app)
	case "zsh":
		// zsh understands bash's way once it is asked to.
		script = "#compdef canopy\nautoload -U +X bashcompinit && bashcompinit\n" + bash(w.app)
	case "fish":
		script = fish(w.app)
	}
	_, err := io.WriteString(w.stdout, script)
	return err
}

func bash(app *kong.Application) string {
	var b, names strings.Builder
	for _, n := range app.Children {
		fmt.Fprintf(&names, " %s", n.Name)
		var flags []string
		for _, f := range n.Flags {
			flags = append(flags, "--"+f.Name)
		}
		fmt.Fprintf(&b, "\t%s) words=%q ;;\n", n.Name, strings.Join(append(flags, "--help"), " "))
	}
	return fmt.Sprintf(`_canopy() {
	local word=${COMP_WORDS[COMP_CWORD]} words
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W %q -- "$word"))
		return
	fi
	case ${COMP_WORDS[1]} in
%s	esac
	case $word in
	-*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
	*) COMPREPLY=($(compgen -f -- "$word")) ;;
	esac
}
complete -o filenames -F _canopy canopy
`, strings.TrimSpace(names.String()+" help"), b.String())
}

func fish(app *kong.Application) string {
	var b strings.Builder
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'" }
	for _, n := range app.Children {
		fmt.Fprintf(&b, "complete -c canopy -n __fish_use_subcommand -f -a %s -d %s\n", n.Name, quote(n.Help))
		for _, f := range n.Flags {
			fmt.Fprintf(&b, "complete -c canopy -n %s -l %s -d %s\n", quote("__fish_seen_subcommand_from "+n.Name), f.Name, quote(f.Help))
		}
	}
	return b.String()
}
