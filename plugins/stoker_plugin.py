"""The door: the one file in this folder that Airflow's plugin scanner may execute. See ``.airflowignore``.

Where the wheel is installed as well, its entry point registers the plugin. Airflow would report a second registration as an error, and in
task processes drop the plugins that come after it, so the door stays shut then.
"""

from importlib.metadata import entry_points

if not entry_points(group="airflow.plugins", name="stoker"):
    from stoker.plugin import StokerPlugin
